"""The error messages of a form: above the form, and beside each invalid field."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service import errors

SHOWN = (
    errors.ValidationError,
    errors.UsernameTaken,
    errors.RoleTaken,
    errors.IdentityTaken,
    errors.LastManager,
    errors.PreconditionFailed,
)
"""The problems after which the form is shown again, with its values."""

_LABELS = {
    "username": "User name",
    "name": "Name",
    "email": "E-mail",
    "disabled": "Disabled",
    "roles": "Roles",
    "role": "Role name",
    "uses": "Number of people",
    "expires_in": "Valid for",
    "q": "Search",
    "sort": "Sort",
    "action": "Show",
    "provider": "Provider",
    "subject": "Subject",
}
_FIELDS = {"username_taken": "username", "role_taken": "role", "identity_taken": "subject"}


@dataclass(frozen=True, slots=True)
class Faults:
    """Error messages. `beside` has one for each invalid field, in the order of the form."""

    above: tuple[str, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def first(self) -> str:
        """The field that gets the focus, '' for none."""
        return next(iter(self.beside), "")


NONE = Faults()


def of(problem: errors.Problem) -> Faults:
    """Return the messages of a problem, each where the form shows it."""
    if isinstance(problem, errors.PreconditionFailed):
        return Faults(
            above=(
                "This user was changed while you were editing. The page shows the saved values.",
            )
        )
    if problem.code in _FIELDS:
        return Faults(beside={_FIELDS[problem.code]: problem.detail})
    if not problem.errors:
        return Faults(above=(problem.detail,))
    messages: dict[str, str] = {}
    for error in problem.errors:
        attribute = error["attribute"]
        name = attribute.partition("[")[0]
        known = name in _LABELS
        messages.setdefault(
            name if known else attribute,
            _sentence(_LABELS[name] if known else f"“{attribute}”", error["message"]),
        )
    return Faults(
        above=tuple(text for name, text in messages.items() if name not in _LABELS),
        beside={name: messages[name] for name in _LABELS if name in messages},
    )


def _sentence(label: str, message: str) -> str:
    """Return a sentence: a message such as "is required" gets the label as its subject."""
    if message[:1].islower():
        message = f"{label} {message}"
    return message if message.endswith(".") else f"{message}."
