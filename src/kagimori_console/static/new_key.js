// The wizard for a new key: specs that fit the usage, the policy checked while typing, one key only.

const form = document.querySelector("#new-key");
const spec = form?.querySelector("#spec");

const fitSpecs = () => {
  const usage = form.querySelector("input[name=usage]:checked")?.value;
  for (const group of spec.querySelectorAll("optgroup")) {
    group.disabled = group.hidden = group.dataset.usage !== usage;
  }
  if (spec.selectedOptions[0]?.parentElement.disabled !== false) {
    spec.value = "";
    const first = spec.querySelector("optgroup:not([disabled]) option");
    if (first) first.selected = true;
  }
};
if (spec) {
  form.addEventListener("change", fitSpecs);
  fitSpecs();
}

const policy = form?.querySelector("textarea[name=policy]");
const found = document.querySelector("#policy-check");
let waiting = 0;
let latest = 0;
const check = async () => {
  const mine = (latest += 1);
  const body = new URLSearchParams({ csrf: form.elements.csrf.value, policy: policy.value });
  try {
    const answer = await fetch("/new-key/check", { method: "POST", body });
    if (!answer.ok || mine !== latest) return;
    const { kind, text } = await answer.json();
    if (mine !== latest) return;
    found.className = `message ${kind}`;
    found.textContent = text;
  } catch {
    // The service checks again when the form is sent.
  }
};
policy?.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(check, 400);
});

form?.addEventListener("submit", (event) => {
  if (form.dataset.sent) event.preventDefault();
  if (event.submitter?.value === "create") form.dataset.sent = "yes";
});
