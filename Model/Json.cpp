// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Json.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace vae
{
namespace
{

class Parser
{
public:
  explicit Parser(std::string_view text) : Text(text) {}

  Json document()
  {
    Json value = this->value(0);
    this->space();
    if (this->At != this->Text.size())
    {
      this->fail("text after the end");
    }
    return value;
  }

private:
  static constexpr int MaximumDepth = 32;

  [[noreturn]] void fail(const char* what) const
  {
    throw std::runtime_error(
      "not valid JSON: " + std::string(what) + " at byte " + std::to_string(this->At));
  }
  char peek() const { return this->At < this->Text.size() ? this->Text[this->At] : '\0'; }
  void space()
  {
    while (this->At < this->Text.size() &&
      std::string_view(" \t\r\n").find(this->Text[this->At]) != std::string_view::npos)
    {
      ++this->At;
    }
  }
  bool take(char c)
  {
    this->space();
    if (this->peek() != c || this->At >= this->Text.size())
    {
      return false;
    }
    ++this->At;
    return true;
  }
  void expect(char c)
  {
    if (!this->take(c))
    {
      this->fail("unexpected character");
    }
  }
  bool word(std::string_view w)
  {
    if (this->Text.substr(this->At, w.size()) != w)
    {
      return false;
    }
    this->At += w.size();
    return true;
  }

  Json value(int depth)
  {
    if (depth > MaximumDepth)
    {
      this->fail("nested too deep");
    }
    this->space();
    switch (this->peek())
    {
      case '{':
        return this->object(depth);
      case '[':
        return this->array(depth);
      case '"':
        return Json(this->string());
      case 't':
        if (this->word("true"))
        {
          return Json(true);
        }
        break;
      case 'f':
        if (this->word("false"))
        {
          return Json(false);
        }
        break;
      case 'n':
        if (this->word("null"))
        {
          return Json();
        }
        break;
      default:
        return this->number();
    }
    this->fail("unknown word");
  }

  Json number()
  {
    double v = 0;
    const char* begin = this->Text.data() + this->At;
    const char* end = this->Text.data() + this->Text.size();
    if (begin == end || !(*begin == '-' || (*begin >= '0' && *begin <= '9')))
    {
      this->fail("unexpected character");
    }
    const auto result = std::from_chars(begin, end, v);
    if (result.ec != std::errc() || !std::isfinite(v))
    {
      this->fail("bad number");
    }
    this->At += static_cast<std::size_t>(result.ptr - begin);
    return Json(v);
  }

  unsigned hex4()
  {
    unsigned v = 0;
    for (int i = 0; i < 4; ++i, ++this->At)
    {
      const char c = this->peek();
      const int digit = c >= '0' && c <= '9' ? c - '0'
        : c >= 'a' && c <= 'f'               ? c - 'a' + 10
        : c >= 'A' && c <= 'F'               ? c - 'A' + 10
                                             : -1;
      if (digit < 0)
      {
        this->fail("bad \\u escape");
      }
      v = v * 16 + static_cast<unsigned>(digit);
    }
    return v;
  }

  static void utf8(std::string& s, unsigned c)
  {
    auto put = [&s](unsigned b) { s += static_cast<char>(b); };
    if (c < 0x80)
    {
      put(c);
    }
    else if (c < 0x800)
    {
      put(0xC0 | c >> 6), put(0x80 | (c & 63));
    }
    else if (c < 0x10000)
    {
      put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 63)), put(0x80 | (c & 63));
    }
    else
    {
      put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 63)), put(0x80 | (c >> 6 & 63)),
        put(0x80 | (c & 63));
    }
  }

  std::string string()
  {
    std::string s;
    ++this->At;
    while (true)
    {
      if (this->At >= this->Text.size())
      {
        this->fail("string without end");
      }
      const char c = this->Text[this->At++];
      if (c == '"')
      {
        return s;
      }
      if (static_cast<unsigned char>(c) < 0x20)
      {
        this->fail("control character in a string");
      }
      if (c != '\\')
      {
        s += c;
        continue;
      }
      const char e = this->peek();
      ++this->At;
      switch (e)
      {
        case '"':
        case '\\':
        case '/':
          s += e;
          break;
        case 'b':
          s += '\b';
          break;
        case 'f':
          s += '\f';
          break;
        case 'n':
          s += '\n';
          break;
        case 'r':
          s += '\r';
          break;
        case 't':
          s += '\t';
          break;
        case 'u':
        {
          unsigned code = this->hex4();
          if (code >= 0xD800 && code < 0xDC00)
          {
            if (!this->word("\\u"))
            {
              this->fail("half a surrogate pair");
            }
            const unsigned low = this->hex4();
            if (low < 0xDC00 || low > 0xDFFF)
            {
              this->fail("half a surrogate pair");
            }
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
          }
          else if (code >= 0xDC00 && code < 0xE000)
          {
            this->fail("half a surrogate pair");
          }
          utf8(s, code);
          break;
        }
        default:
          this->fail("bad escape");
      }
    }
  }

  Json array(int depth)
  {
    Json::Array a;
    ++this->At;
    if (this->take(']'))
    {
      return Json(std::move(a));
    }
    do
    {
      a.push_back(this->value(depth + 1));
    } while (this->take(','));
    this->expect(']');
    return Json(std::move(a));
  }

  Json object(int depth)
  {
    Json::Object o;
    ++this->At;
    if (this->take('}'))
    {
      return Json(std::move(o));
    }
    do
    {
      this->space();
      if (this->peek() != '"')
      {
        this->fail("a key must be a string");
      }
      std::string key = this->string();
      this->expect(':');
      Json v = this->value(depth + 1);
      if (!o.emplace(std::move(key), std::move(v)).second)
      {
        this->fail("the same key twice");
      }
    } while (this->take(','));
    this->expect('}');
    return Json(std::move(o));
  }

  std::string_view Text;
  std::size_t At = 0;
};

void writeString(std::string& out, const std::string& s)
{
  out += '"';
  for (const char c : s)
  {
    if (c == '"' || c == '\\')
    {
      out += '\\';
      out += c;
    }
    else if (static_cast<unsigned char>(c) < 0x20)
    {
      const char* digits = "0123456789abcdef";
      out += "\\u00";
      out += digits[c >> 4 & 15];
      out += digits[c & 15];
    }
    else
    {
      out += c;
    }
  }
  out += '"';
}

void writeNumber(std::string& out, double v)
{
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, v);
  out.append(buffer, result.ptr);
}

} // namespace

Json Json::parse(std::string_view text) { return Parser(text).document(); }

std::string Json::dump() const
{
  std::string out;
  if (const auto* a = std::get_if<Array>(&this->Value))
  {
    out += '[';
    for (std::size_t i = 0; i < a->size(); ++i)
    {
      out += (i ? "," : "") + (*a)[i].dump();
    }
    out += ']';
  }
  else if (const auto* o = std::get_if<Object>(&this->Value))
  {
    out += '{';
    bool first = true;
    for (const auto& [key, value] : *o)
    {
      out += first ? "" : ",";
      first = false;
      writeString(out, key);
      out += ':' + value.dump();
    }
    out += '}';
  }
  else if (const auto* text = std::get_if<std::string>(&this->Value))
  {
    writeString(out, *text);
  }
  else if (const auto* flag = std::get_if<bool>(&this->Value))
  {
    out += *flag ? "true" : "false";
  }
  else if (const auto* number = std::get_if<double>(&this->Value); number && std::isfinite(*number))
  {
    writeNumber(out, *number);
  }
  else
  {
    out += "null"; // JSON has no NaN
  }
  return out;
}

namespace
{
[[noreturn]] void wrongType(const char* wanted)
{
  throw std::runtime_error("a value is not " + std::string(wanted));
}
}

bool Json::boolean() const
{
  const auto* v = std::get_if<bool>(&this->Value);
  return v ? *v : (wrongType("true or false"), false);
}

double Json::number() const
{
  if (this->isNull())
  {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const auto* v = std::get_if<double>(&this->Value);
  return v ? *v : (wrongType("a number"), 0.);
}

long long Json::integer() const
{
  const double v = this->number();
  if (!(std::abs(v) <= 9007199254740992.) || v != std::floor(v))
  {
    wrongType("a whole number");
  }
  return static_cast<long long>(v);
}

const std::string& Json::string() const
{
  const auto* v = std::get_if<std::string>(&this->Value);
  if (!v)
  {
    wrongType("a string");
  }
  return *v;
}

const Json::Array& Json::array() const
{
  const auto* v = std::get_if<Array>(&this->Value);
  if (!v)
  {
    wrongType("a list");
  }
  return *v;
}

const Json::Object& Json::object() const
{
  const auto* v = std::get_if<Object>(&this->Value);
  if (!v)
  {
    wrongType("an object");
  }
  return *v;
}

bool Json::has(const std::string& key) const
{
  const auto* o = std::get_if<Object>(&this->Value);
  return o && o->count(key);
}

const Json& Json::at(const std::string& key) const
{
  const Object& o = this->object();
  const auto it = o.find(key);
  if (it == o.end())
  {
    throw std::runtime_error("\"" + key + "\" is missing");
  }
  return it->second;
}

} // namespace vae
