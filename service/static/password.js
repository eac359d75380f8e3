"use strict";

// Optional: password fields work without this script. It adds a button that shows the password.

for (const field of document.querySelectorAll('input[type="password"]')) {
  const button = document.createElement("button");
  const show = (isShown) => {
    field.type = isShown ? "text" : "password";
    button.textContent = isShown ? "Hide" : "Show";
    button.setAttribute("aria-label", isShown ? "Hide password" : "Show password");
    button.setAttribute("aria-pressed", String(isShown));
  };
  button.type = "button";
  button.className = "reveal";
  button.setAttribute("aria-controls", field.id);
  button.addEventListener("click", () => show(field.type === "password"));
  field.spellcheck = false;
  field.setAttribute("autocapitalize", "none");
  const box = document.createElement("div");
  box.className = "secret";
  field.replaceWith(box);
  box.append(field, button);
  show(false);
  if (field.autofocus) field.focus();
  // Browsers save passwords only from password fields, and complete text fields from their history.
  field.form.addEventListener("submit", () => show(false));
}
