"""`/admin`: search the users and page through the list."""

from aiohttp import web

from service import errors, schemas, users
from service.endpoints.admin import form_errors, page
from service.users import seeds
from service.web import access, context

_PATH = "/admin"
_FILTERS = ("q", "role", "disabled")


@access.requires_role(users.MANAGE_USERS)
async def list_users(request: web.Request) -> web.Response:
    """GET /admin[?q=][&role=][&disabled=][&sort=][&limit=][&cursor=][&done=]: a page of users."""
    asked = page.Asked({})
    try:
        asked = page.asked_and_done(request, blank=_FILTERS)
        query = schemas.user_query(asked.given)
    except errors.ValidationError as problem:
        problem.page = await _show(
            request, asked, users.Query(), [], faults=form_errors.of(problem)
        )
        raise
    found, after = await users.page(request.app[context.DATABASE], query)
    more = None if after is None else schemas.cursor(query.sort, *after)
    return await _show(request, asked, query, found, more=more)


async def _show(
    request: web.Request,
    asked: page.Asked,
    query: users.Query,
    found: list[users.User],
    *,
    more: str | None = None,
    faults: form_errors.Faults = form_errors.NONE,
) -> web.Response:
    known_roles = await users.role_ids(request.app[context.DATABASE])
    sort = f"-{query.sort}" if query.descending else query.sort
    return page.show(
        request,
        "users.html",
        done=asked.done,
        faults=faults,
        users=found,
        roles=sorted(known_roles),
        asked=asked,
        sort=sort,
        is_filtered=any(asked.given.get(name) for name in _FILTERS),
        by={column: _header(asked, column, sort) for column in users.SORTS},
        more=None if more is None else asked.link(_PATH, cursor=more),
        start=asked.link(_PATH, cursor=None) if asked.given.get("cursor") else None,
        is_first_run=await _is_first_run(request),
    )


def _header(asked: page.Asked, column: str, sort: str) -> dict[str, str]:
    """Return the link of a column header, and the current sort direction of the column."""
    ways = {column: "ascending", f"-{column}": "descending"}
    turned = f"-{column}" if sort == column else column
    return {
        "link": asked.link(_PATH, sort=turned, cursor=None),
        "way": ways.get(sort, "none"),
    }


async def _is_first_run(request: web.Request) -> bool:
    """Return whether only demo users exist. False in production, where there are none."""
    if request.app[context.CONFIG].production:
        return False
    return await seeds.are_all_users(request.app[context.DATABASE])


ROUTES = (web.get(_PATH, list_users),)
