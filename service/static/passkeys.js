"use strict";

// Passkeys: sign in on the sign-in page; add, rename and remove them on the page of the account.

const RESTART_MS = 240_000; // A challenge is valid for five minutes.
const UNSUPPORTED = "This browser does not support passkeys on this page.";
const CANCELLED = "No passkey was used. Try again.";
const UNREACHABLE = "The service cannot be reached. Check your connection and try again.";

function decode(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0)).buffer;
}

function encode(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function withBuffers(options) {
  const descriptors = (list) => list?.map((each) => ({ ...each, id: decode(each.id) }));
  return {
    ...options,
    challenge: decode(options.challenge),
    ...(options.user && { user: { ...options.user, id: decode(options.user.id) } }),
    ...(options.excludeCredentials && { excludeCredentials: descriptors(options.excludeCredentials) }),
    ...(options.allowCredentials && { allowCredentials: descriptors(options.allowCredentials) }),
  };
}

function asJson(credential) {
  const { response } = credential;
  const buffers = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const members = buffers.filter((name) => response[name]).map((name) => [name, encode(response[name])]);
  const transports = response.getTransports?.();
  return {
    id: credential.id,
    rawId: credential.id,
    type: credential.type,
    response: { ...Object.fromEntries(members), ...(transports && { transports }) },
    clientExtensionResults: {},
  };
}

class Refused extends Error {
  constructor(problem) {
    super(problem.detail ?? problem.title ?? "The request failed.");
    this.code = problem.code;
  }
}

async function send(method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: { Accept: "application/json", "Content-Type": "application/json" },
    body: JSON.stringify(body ?? {}),
  });
  const value = answer.status === 204 ? null : await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const [first] = value?.errors ?? [];
    throw new Refused(first ? { ...value, detail: sentence(first) } : value ?? {});
  }
  return value;
}

function sentence({ attribute, message }) {
  return /^[a-z]/.test(message) ? `The ${attribute} ${message}.` : message;
}

function inWords(error) {
  if (error instanceof Refused) return error.message;
  if (error.name === "InvalidStateError") return "This device has a passkey for this account already.";
  if (error.name === "NotAllowedError") return CANCELLED;
  if (error instanceof TypeError) return UNREACHABLE;
  return UNSUPPORTED;
}

function show(place, error) {
  place.textContent = inWords(error);
  place.hidden = false;
}

// The sign-in page: the button, and the autofill of the user name.
function signInPage(part) {
  const button = part.querySelector("button");
  const fault = part.querySelector("[role=alert]");
  let waiting = new AbortController();
  let restart = 0;

  async function signIn(mediation) {
    clearTimeout(restart);
    waiting.abort();
    waiting = new AbortController();
    const { signal } = waiting;
    const options = await send("POST", "/auth/passkey/options");
    const credential = await navigator.credentials.get({
      publicKey: withBuffers(options),
      signal,
      ...(mediation && { mediation }),
    });
    const sent = { credential: asJson(credential), next: part.dataset.next || "/" };
    const { location: target } = await send("POST", "/auth/passkey", sent);
    location.assign(target);
  }

  async function autofill() {
    if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
    if (document.querySelector("[autocomplete~=webauthn]") === null) return;
    try {
      const signedIn = signIn("conditional");
      restart = setTimeout(autofill, RESTART_MS);
      await signedIn;
    } catch (error) {
      if (error.name === "AbortError") return;
      clearTimeout(restart);
      if (error.code === "passkey_invalid") {
        show(fault, error);
        autofill();
      }
    }
  }

  button.hidden = false;
  button.addEventListener("click", async () => {
    fault.hidden = true;
    button.disabled = true;
    try {
      await signIn();
    } catch (error) {
      show(fault, error);
      autofill();
    } finally {
      button.disabled = false;
    }
  });
  autofill();
}

// The page of the account.
function accountPage() {
  const path = "/auth/account/passkeys";
  const fault = document.getElementById("passkey-fault");

  function act(element, event, action) {
    element.addEventListener(event, async (happened) => {
      happened.preventDefault();
      fault.hidden = true;
      element.inert = true;
      try {
        await action();
        location.reload();
      } catch (error) {
        if (error.code === "reauthentication_required") {
          location.assign("/auth/login?next=/account/passkeys&again=1");
          return;
        }
        show(fault, error);
        fault.scrollIntoView({ block: "nearest" });
      } finally {
        element.inert = false;
      }
    });
  }

  for (const form of document.querySelectorAll("[data-passkey-add]")) {
    act(form, "submit", async () => {
      if (!window.PublicKeyCredential) throw new Error(UNSUPPORTED);
      const options = await send("POST", `${path}/options`);
      const credential = await navigator.credentials.create({ publicKey: withBuffers(options) });
      const name = form.elements.name.value.trim();
      await send("POST", path, { credential: asJson(credential), ...(name && { name }) });
    });
  }
  for (const form of document.querySelectorAll("[data-passkey-rename]")) {
    act(form, "submit", () =>
      send("PATCH", `${path}/${form.dataset.passkeyRename}`, { name: form.elements.name.value }));
  }
  for (const button of document.querySelectorAll("[data-passkey-remove]")) {
    act(button, "click", () => send("DELETE", `${path}/${button.dataset.passkeyRemove}`));
  }
}

// The page of a link: a passkey instead of a password.
function linkPage(place) {
  const button = place.querySelector("button");
  const fault = place.querySelector("[role=alert]");
  const path = place.dataset.passkeyLink;
  const field = document.querySelector("input[name=username]");

  async function add() {
    fault.hidden = true;
    button.disabled = true;
    try {
      const about = { username: field.value.trim() };
      const options = await send("POST", `${path}/passkey/options`, about);
      const credential = await navigator.credentials.create({ publicKey: withBuffers(options) });
      await send("POST", path, { ...about, credential: asJson(credential) });
      location.assign("/");
    } catch (error) {
      show(fault, error);
    } finally {
      button.disabled = false;
    }
  }

  button.hidden = false;
  button.addEventListener("click", add);
  place.closest("form").addEventListener("submit", (event) => {
    if (document.getElementById("password") !== null) return;
    event.preventDefault();
    add();
  });
}

const linkPart = document.querySelector("[data-passkey-link]");
if (linkPart !== null && window.PublicKeyCredential) linkPage(linkPart);
if (linkPart !== null && !window.PublicKeyCredential) show(linkPart.querySelector("[role=alert]"), new Error(UNSUPPORTED));

const part = document.querySelector("[data-passkey-sign-in]");
if (part !== null && window.PublicKeyCredential) signInPage(part);
if (part !== null && !window.PublicKeyCredential) show(part.querySelector("[role=alert]"), new Error(UNSUPPORTED));
if (document.getElementById("passkey-fault") !== null) accountPage();
