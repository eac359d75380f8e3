"""A real CAS server, django-cas-server, as a program: settings as JSON on standard input.

`{"port", "folder", "origin", "service", "callback": [name, port], "users": {name: password}}`:
`origin` is how browsers reach it, `service` the pattern of what may be signed in to, `callback` a
host name of that and the port on this machine where it answers. Prints a line when it is ready.
"""

import json
import socket
import sys
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

_APPS = ("auth", "contenttypes", "sessions", "messages", "staticfiles")
_MIDDLEWARE = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
)
_CONTEXT = (
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
)


def main() -> None:
    """Make the database, and serve until killed."""
    wanted = json.loads(sys.stdin.readline())
    _configure(wanted)
    django.setup()
    call_command("migrate", verbosity=0)
    _fill(wanted)
    _find(*wanted["callback"])
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415  # needs the settings

    server = ThreadedWSGIServer(("127.0.0.1", wanted["port"]), _Quiet, ipv6=False)
    server.daemon_threads = True
    server.set_app(get_wsgi_application())
    print("ready", flush=True)  # noqa: T201  # the caller waits for it
    server.serve_forever()


class _Quiet(WSGIRequestHandler):  # type: ignore[misc]  # without types
    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def _configure(wanted: dict[str, Any]) -> None:
    components = ("bootstrap3_css", "bootstrap3_js", "html5shiv", "respond", "bootstrap4_css")
    settings.configure(
        SECRET_KEY="of-the-tests",
        ALLOWED_HOSTS=["*"],
        CSRF_TRUSTED_ORIGINS=[wanted["origin"]],
        INSTALLED_APPS=[*(f"django.contrib.{app}" for app in _APPS), "cas_server"],
        MIDDLEWARE=list(_MIDDLEWARE),
        TEMPLATES=[
            {
                "APP_DIRS": True,
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {"context_processors": list(_CONTEXT)},
            }
        ],
        ROOT_URLCONF="cas_server.urls",
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": f"{wanted['folder']}/cas.sqlite",
                "OPTIONS": {"timeout": 20},
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        USE_TZ=True,
        STATIC_URL="/static/",
        SESSION_COOKIE_NAME="cas_session",
        CSRF_COOKIE_NAME="cas_csrf",
        CAS_NEW_VERSION_HTML_WARNING=False,
        CAS_NEW_VERSION_EMAIL_WARNING=False,
        CAS_COMPONENT_URLS=dict.fromkeys((*components, "bootstrap4_js", "jquery"), "/static/x"),
    )


def _fill(wanted: dict[str, Any]) -> None:
    from cas_server.models import ReplaceAttributName, ServicePattern  # noqa: PLC0415  # the same
    from django.contrib.auth.models import User  # noqa: PLC0415  # the same

    for name, password in wanted["users"].items():
        User.objects.create_user(name, password=password, last_name="staff")
    pattern = ServicePattern.objects.create(
        name="latchkey", pattern=wanted["service"], single_log_out=True
    )
    ReplaceAttributName.objects.create(name="last_name", service_pattern=pattern)


def _find(name: str, port: int) -> None:
    """Let a name of the tests lead to this machine, as /etc/hosts would."""
    real = socket.getaddrinfo

    def find(host: Any, service: Any, *rest: Any, **options: Any) -> Any:
        found = ("127.0.0.1", port) if host == name else (host, service)
        return real(*found, *rest, **options)

    vars(socket)["getaddrinfo"] = find


if __name__ == "__main__":
    main()
