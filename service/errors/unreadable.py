"""Errors of requests that cannot be read: HTTP, sizes, media types and syntax."""

from service.errors.problem import Problem


class BadRequest(Problem):
    status = 400
    code = "request_invalid"
    title = "Invalid HTTP request"
    detail = "The server could not read the request. Check its request line, headers and body."


class BodyTimeout(Problem):
    status = 408
    code = "body_timeout"
    title = "Request body timed out"
    detail = "Send the whole body within ten seconds."


class BodyTooLarge(Problem):
    status = 413
    code = "body_too_large"
    title = "Request body too large"
    detail = "A body may have at most 64 KiB."


class UriTooLong(Problem):
    status = 414
    code = "uri_too_long"
    title = "Address too long"
    detail = (
        "The address of a request may have at most 32 KiB. Open a shorter one, or start at the home"
        " page, /."
    )


class HeadersTooLarge(Problem):
    status = 431
    code = "headers_too_large"
    title = "Request headers too large"
    detail = (
        "A header may have at most 32 KiB, and all headers 128 KiB together. In a browser, the"
        " reason is usually the cookies: delete the cookies of this site and of its parent domain,"
        " then try again."
    )


class EncodingUnsupported(Problem):
    status = 415
    code = "encoding_unsupported"
    title = "Unsupported content encoding"
    detail = "Send the body without Content-Encoding."


class ExpectationFailed(Problem):
    status = 417
    code = "expectation_failed"
    title = "Unsupported expectation"
    detail = "The header `Expect` supports only `100-continue`."


class ContentTypeUnsupported(Problem):
    status = 415
    code = "content_type_unsupported"
    title = "Unsupported content type"
    detail = "Send the body as application/json."


class JsonInvalid(Problem):
    status = 400
    code = "json_invalid"
    title = "Invalid JSON"
    detail = (
        "Send one JSON value in UTF-8, at most 32 levels deep, without duplicate member names, NaN"
        " or trailing data."
    )


class FormInvalid(Problem):
    status = 400
    code = "form_invalid"
    title = "Invalid form"
    detail = "Send the fields as name=value&name=value, in percent-encoded UTF-8."
