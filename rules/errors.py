"""The error tree of `rules`: bad input, never a fault of ours.

    RulesError
    ├── LabelError          a label name or value that Prometheus would refuse
    ├── DurationError       text that is no Prometheus duration
    ├── MatcherError        text that is no matcher, or a regex RE2 refuses
    ├── PromqlError         an expression that does not parse or is too large to parse safely (position, when known)
    ├── TemplateError       a template that does not parse, or that ran out of its budget
    ├── RuleError           a rule that cannot be evaluated as declared
    ├── RouteError          a routing tree that cannot be used: a cycle, an orphan, a root that does not match everything
    ├── ChannelError        a channel whose address or settings cannot be used
    ├── ThresholdError      a threshold row that cannot govern anything
    ├── InhibitError        an inhibition without a side, or that would inhibit by everything
    ├── TimeIntervalError   a time interval that does not say when
    ├── SeriesError         what a unit test gives as a series or as its values (position)
    ├── YamlError           a file that is no YAML, or none of a bearable size (line, column)
    └── SilenceError        a silence that would hide everything, nothing, or ends before it starts

Every message names the offending value and, where one is known, the fix. API maps the whole tree to 422 in one place.
"""


class RulesError(ValueError):
    """Bad input to something people declare; `field` names the field it came in by, `None` when the caller knows better."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class LabelError(RulesError):
    """A label name or value that Prometheus would refuse."""


class DurationError(RulesError):
    """Text that is no Prometheus duration."""


class MatcherError(RulesError):
    """Text that is no matcher, or a regular expression RE2 refuses."""


class PromqlError(RulesError):
    """An expression that does not parse, or is too large to be parsed safely; `position` counts characters from 0."""

    def __init__(self, message: str, *, field: str | None = "expr", position: int | None = None) -> None:
        super().__init__(message, field=field)
        self.position = position


class TemplateError(RulesError):
    """A template that does not parse, fails, or ran out of its budget of output or steps.

    `line` and `column` count from 1, in the template's own text, where the place is known; `reason` is the message without it.
    """

    def __init__(
        self, reason: str, *, field: str | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        place = "" if line is None or column is None else f"line {line}, column {column}: "
        super().__init__(place + reason, field=field)
        self.reason = reason
        self.line = line
        self.column = column


class RuleError(RulesError):
    """A rule that cannot be evaluated as declared."""


class RouteError(RulesError):
    """A routing tree that cannot be used: a cycle, an orphan, a root that does not match everything."""


class ChannelError(RulesError):
    """A channel whose address or settings cannot be used."""


class SilenceError(RulesError):
    """A silence that would hide everything or nothing, or that ends before it starts."""


class ThresholdError(RulesError):
    """A threshold row that cannot govern anything."""


class InhibitError(RulesError):
    """An inhibit rule that would let everything inhibit, or be inhibited."""


class TimeIntervalError(RulesError):
    """A time interval that does not say when."""


class SeriesError(RulesError):
    """What a unit test gives as a series or as its values, and is none; `position` counts characters from 0."""

    def __init__(self, message: str, *, position: int) -> None:
        super().__init__(message)
        self.position = position


class YamlError(RulesError):
    """A file that is no YAML, or none of a bearable size; `line` and `column` count from 1."""

    def __init__(self, message: str, *, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
