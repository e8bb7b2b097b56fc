# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""No function over 120 lines, no file over 600, in Model, Filters and Plugin.

One that has to be longer says why: a comment `// Long because ...` in the function or right above
it, or among the first lines of the file. Lambdas count as part of what they are written in.
"""
import pathlib
import re
import sys

MOST_FUNCTION, MOST_FILE = 120, 600
SOURCES = {".h", ".cpp", ".cxx"}
EXCUSE = re.compile(r"//.*\bLong because \w")

CODE = re.compile(
    r"""(?P<raw>R"(?P<delimiter>[^ ()\\]{0,16})\(.*?\)(?P=delimiter)")
      | (?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<character>(?<![0-9a-fA-F])'(?:[^'\\\n]|\\.)+')
      | (?P<directive>^[ \t]*\#(?:[^\n\\]|\\.|\\\n)*)""",
    re.X | re.S | re.M,
)
SCOPE = re.compile(r"^(?:inline\s+)?(?:namespace|extern\s*\")|^(?:typedef\s+)?(?:class|struct|union|enum)\b")
TEMPLATE = re.compile(r"^(?:template\s*<[^{};]*?>\s*(?=(?:class|struct|union|template)\b)|\[\[.*?\]\]\s*|export\s+)+", re.S)


def blank(text):
    """Without comments, characters, what strings hold, and the preprocessor's lines."""

    def nothing(match):
        kept = re.sub(r"[^\n]", " ", match.group())
        return f'"{kept[1:-1]}"' if match.lastgroup == "string" else kept

    return CODE.sub(nothing, text)


def functions(text):
    """(name, first line, last line) of each function that is in no other one.

    \\throws ValueError where braces do not match
    """
    code = blank(text)
    scopes = []  # of each open brace: whether it only holds other things, as a namespace does
    head = 0  # where what stands before the next brace begins
    found, outermost = [], None
    for at in (m.start() for m in re.finditer(r"[{};]", code)):
        inside = outermost is not None
        if code[at] == "{":
            declared = TEMPLATE.sub("", code[head:at].strip())
            holds = not inside and bool(SCOPE.match(declared)) and not declared.endswith(")")
            if not inside and not holds:
                outermost = (len(scopes), head + len(code[head:at]) - len(code[head:at].lstrip()))
            scopes.append(holds)
            if holds:
                head = at + 1
        elif code[at] == "}":
            if not scopes:
                raise ValueError("a brace closes what none has opened")
            holds = scopes.pop()
            if inside and outermost[0] == len(scopes):
                start, outermost = outermost[1], None
                # What follows a brace in a list of initialisers belongs to the same function.
                if code[at + 1 :].lstrip()[:1] in (",", "{"):
                    head = start
                    continue
                declared = " ".join(code[start : code.index("{", start)].split())
                lines = code.count("\n", 0, start) + 1, code.count("\n", 0, at) + 1
                found.append((declared.split("(")[0].split(" ")[-1], *lines))
                head = at + 1
            elif not inside:
                head = at + 1
        elif not inside:
            head = at + 1
    if scopes:
        raise ValueError("a brace is not closed")
    return found


def excused(lines, first, last):
    """Whether a comment in these lines (from 1), or right above them, says why."""
    while first > 1 and lines[first - 2].lstrip().startswith("//"):
        first -= 1
    return any(EXCUSE.search(line) for line in lines[first - 1 : last])


def problems(name, text):
    lines = text.splitlines()
    result = []
    if len(lines) > MOST_FILE and not excused(lines, 1, 15):
        result.append(f"{name}: {len(lines)} lines; a file has at most {MOST_FILE}")
    try:
        for function, first, last in functions(text):
            if last - first + 1 > MOST_FUNCTION and not excused(lines, first, last):
                result.append(
                    f"{name}:{first}: {function} has {last - first + 1} lines; "
                    f"a function has at most {MOST_FUNCTION}"
                )
    except ValueError as error:
        result.append(f"{name}: {error}")
    return result


def check_itself():
    """What is planted is found, and nothing else."""

    def planted(lines, head="int f(int a)", above="", inside="  g('{', \"}\", R\"(})\"); // }"):
        body = "\n".join([inside] + ["  ++a;"] * (lines - 4))
        return f"{above}{head}\n{{\n{body}\n}}\n"

    heads = [
        "int f(int a)",
        "template <typename T>\nint X<T>::f(int a) const",
        "X::f(int a)\n  : A{ 1 }\n  , B(2)",
        "const Family f{ .share = 1'000, .measure = [](int a)",
    ]
    for head in heads:
        for wrap in ("{}", "namespace x\n{{\nclass Y final : public Z\n{{\n{}}};\n}}\n"):
            for lines in (120, 121):
                text = planted(lines - head.count("\n"), head)
                text = text[:-1] + " };\n" if "Family" in head else text
                text = "#define M {\nint before() { return 1; }\n" + wrap.format(text)
                found = problems("planted", text)
                assert len(found) == (lines > 120), (head, wrap, lines, found)
                assert not found or f"f has {lines} lines" in found[0] or "Family" in head, found
    assert len(problems("planted", planted(500) + planted(90))) == 1
    assert not problems("planted", planted(200, above="// Long because it is a table.\n"))
    assert not problems("planted", planted(200, inside="  // Long because it is a table."))
    assert len(problems("planted", "// one line\n" * 601)) == 1
    assert not problems("planted", "// Long because it is a list.\n" + "int a;\n" * 601)
    assert len(problems("planted", "int f()\n{\n")) == 1


def main(root):
    check_itself()
    found = []
    for folder in ("Model", "Filters", "Plugin"):
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix in SOURCES:
                found += problems(name, path.read_text(encoding="utf-8"))
    print("\n".join(found) or "no function and no file is too long")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
