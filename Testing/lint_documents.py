# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The documents: links and named files exist, ARCHITECTURE.md is short, and an experiment has a date, a
question, a command and a conclusion, and stands in the index."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"`([^`\n]+)`")
SOURCE = re.compile(r"[\w./-]+\.(py|cpp|cxx|h|md|xml|sh)")
MOST_WORDS = 1500
OTHER = {"lint.xml", "Name.cpp"}  # a test, a placeholder

folders = ("Data", "Documentation", "Filters", "Model", "Plugin", "Testing")
sources = {p.relative_to(root).as_posix() for f in folders for p in (root / f).rglob("*") if p.is_file()}
sources |= {p.name for p in root.iterdir() if p.is_file()}
names = {s.rsplit("/", 1)[-1] for s in sources}
documents = sorted(s for s in sources if s.endswith(".md"))
problems = []


def known(name):
    return name in names if "/" not in name else any(s == name or s.endswith("/" + name) for s in sources)


for document in documents:
    text = (root / document).read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    for link in LINK.findall(prose):
        if not link.startswith("http") and not (root / document).parent.joinpath(link).exists():
            problems.append(f"{document}: the link {link} leads nowhere")
    for code in CODE.findall(prose):
        for word in code.split():
            if SOURCE.fullmatch(word) and word.rsplit("/", 1)[-1] not in OTHER and not known(word):
                problems.append(f"{document}: there is no {word}")

words = len((root / "ARCHITECTURE.md").read_text(encoding="utf-8").split())
if words > MOST_WORDS:
    problems.append(f"ARCHITECTURE.md has {words} words; it may have {MOST_WORDS}")

experiments = root / "Documentation" / "experiments"
index = (experiments / "README.md").read_text(encoding="utf-8")
for page in sorted(experiments.glob("[0-9]*.md")):
    text = page.read_text(encoding="utf-8")
    if not re.match(r"# %s .+\n\n\d{4}-\d{2}-\d{2}" % page.name[:3], text):
        problems.append(f"{page.name}: begin with '# NNN Title' and a date")
    for part in ("**Question.**", "**Command.**", "**Conclusion.**"):
        if part not in text:
            problems.append(f"{page.name}: no {part}")
    if f"({page.name})" not in index:
        problems.append(f"{page.name} is not in the index, README.md")

print("\n".join(problems) or f"{len(documents)} documents are in order")
sys.exit(bool(problems))
