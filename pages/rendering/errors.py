"""Errors in templates and texts, reported with the line of the source."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import jinja2

from ledger.problems import Problem, did_you_mean, relative

PAGES = Path(__file__).parents[1]
TEXT = "content/"  # where a template is an author's text
SYNTAX = (  # what Jinja says of a text, and what its author should hear
    (r"unexpected end of template, expected 'end of print statement'.*", "'{{' without '}}'"),
    (r"expected token 'end of print statement', got '(.*)'", r"'}}' is missing before '\1'"),
    (r"(?:unexpected|Expected.*got) 'end of print statement'", "nothing, or not enough, stands between '{{' and '}}'"),
    (r"unexpected char '(.)' at \d+", r"'\1' is no part of a call: names stand between straight quotes"),
    (r"Encountered unknown tag '(\w+)'.*", r"there is no '{% \1 %}'"),
    (r"Unexpected end of template.*", "'{%' without its end"),
)
CALLS = (  # what Python says of a call in a text
    (r"(?:\w+\.)*(\w+)\(\) missing \d+ required positional arguments?: (.*)", r"\1() needs \2"),
    (r"(?:\w+\.)*(\w+)\(\) takes .* positional arguments? but .*", r"\1() is given more than it takes"),
    (r"unhashable type: '(\w+)'.*", r"a name between quotes is needed, not a \1"),
)
UNKNOWN_OPTION = re.compile(r"(?:\w+\.)*(\w+)\(\) got an unexpected keyword argument '(\w+)'.*")
QUOTED = "; names of values and tables stand between quotes"
LITERAL = "; between backticks or dollar signs, braces stand for themselves"
UNDEFINED = re.compile(r"'(\w+)' is undefined")


def place_of(template: str | None) -> str:
    """Path below the root of a template, or of a section's text."""
    return template if template and template.startswith(TEXT) else f"templates/{template}"


def at_current_line(message: str) -> Problem:
    """A defect at the line of the template that is being executed."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        template = frame.f_globals.get("__jinja_template__")
        if template is not None:
            return Problem(place_of(template.name), template.get_corresponding_lineno(frame.f_lineno), "", message)
        frame = frame.f_back
    return Problem("templates", 0, "", message)


def from_exception(error: Exception, template: str, root: Path, names: Mapping[str, Any]) -> Problem:
    """Whatever went wrong while `template`, which sees `names`, was rendered."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return Problem(place_of(error.name), error.lineno, "", _syntax(error))
    if isinstance(error, jinja2.TemplateNotFound):
        return Problem(place_of(template), 0, "", f"no such template '{error.name}'")
    file, line, deeper = _where(error.__traceback__, root)
    said = f"{type(error).__name__}: {error}{deeper}"
    if isinstance(error, jinja2.UndefinedError) and (unknown := UNDEFINED.fullmatch(str(error))):
        near = did_you_mean(unknown[1], names)
        said = f"there is no '{unknown[1]}'{near or (QUOTED + LITERAL if file.startswith(TEXT) else '')}"
    elif isinstance(error, TypeError) and file.startswith(TEXT):
        said = _call(str(error), names) or said
    return Problem(file or place_of(template), line, "", said)


def _syntax(error: jinja2.TemplateSyntaxError) -> str:
    """What Jinja could not read; in a text, without words of Jinja's grammar."""
    said = error.message or "syntax error"
    if (error.name or "").startswith(TEXT):
        for pattern, words in SYNTAX:
            if found := re.fullmatch(pattern, said, re.DOTALL):
                return found.expand(words) + LITERAL
    return said


def _call(said: str, names: Mapping[str, Any]) -> str:
    """What is wrong with a call of a function; nothing where Python's words are all there is."""
    if option := UNKNOWN_OPTION.fullmatch(said):
        known = inspect.signature(names[option[1]]).parameters if option[1] in names else ()
        return f"{option[1]}() takes no '{option[2]}'{did_you_mean(option[2], known)}"
    return next((found.expand(words) for pattern, words in CALLS if (found := re.fullmatch(pattern, said))), "")


def _where(trace: TracebackType | None, root: Path) -> tuple[str, int, str]:
    """File and line of the innermost template of a traceback, and where in our code below it the error arose."""
    place, deeper = ("", 0), ""
    while trace is not None:
        names, file = trace.tb_frame.f_globals, Path(trace.tb_frame.f_code.co_filename)
        if "__jinja_exception__" in names or "__jinja_template__" in names:
            place, deeper = (relative(file, root), trace.tb_lineno), ""
        elif PAGES in file.parents:
            deeper = f" (raised in {relative(file, PAGES.parent)}:{trace.tb_lineno})"
        trace = trace.tb_next
    return *place, deeper if place[0] else ""
