// Wraps key material in the browser (RSA-OAEP with SHA-256), so that it never leaves it in plain.

const button = document.querySelector("#wrap");
const form = document.querySelector("#import");
const well = document.querySelector("#wrapped-well");
const badly = document.querySelector("#wrapped-badly");

const bytesOf = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
const textOf = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));

const wrap = async () => {
  well.hidden = badly.hidden = true;
  try {
    const file = document.querySelector("#material").files[0];
    const body = new URLSearchParams({ csrf: form.elements.csrf.value });
    const answer = await fetch(button.dataset.parameters, { method: "POST", body });
    const found = await answer.json();
    if (!answer.ok) throw new Error(`${found.code}: ${found.message}`);
    const algorithm = { name: "RSA-OAEP", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("spki", bytesOf(found.public_key), algorithm, false, ["encrypt"]);
    const material = await file.arrayBuffer();
    form.elements.wrapped.value = textOf(await crypto.subtle.encrypt(algorithm, key, material));
    form.elements.token.value = found.token;
    well.hidden = false;
  } catch (problem) {
    document.querySelector("#wrapped-why").textContent = problem.message;
    badly.hidden = false;
  }
};
button?.addEventListener("click", wrap);
