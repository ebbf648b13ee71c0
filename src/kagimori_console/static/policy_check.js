// Has the service check the policy, a moment after the last key was typed.

const AFTER = 500;
const text = document.getElementById("policy");
const checked = document.getElementById("checked");
const csrf = document.querySelector("main input[name=csrf]").value;
let waiting = 0;
let newest = 0;

const check = async () => {
  const number = ++newest;
  const body = new URLSearchParams({ csrf, kind: checked.dataset.kind, policy: text.value });
  try {
    const answer = await fetch("/access/check", { method: "POST", body });
    const found = await answer.json();
    if (number !== newest) return;
    checked.textContent = found.problem;
    checked.className = `message ${found.fine ? "good" : "bad"}`;
    checked.hidden = false;
  } catch {
    checked.hidden = true;
  }
};

text.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(check, AFTER);
});
check();
