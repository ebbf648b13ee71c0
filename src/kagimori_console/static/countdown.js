// Counts down to a time: days, hours, minutes, seconds, in the language of the page.

const parts = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const language = document.documentElement.lang;

for (const element of document.querySelectorAll("[data-until]")) {
  const until = Number(element.dataset.until) * 1000;
  const show = () => {
    let left = Math.max(0, Math.floor((until - Date.now()) / 1000));
    const words = [];
    for (const [unit, seconds] of parts) {
      const number = Math.floor(left / seconds);
      left -= number * seconds;
      const format = new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" });
      if (number || words.length) words.push(format.format(number));
    }
    element.textContent = words.join(" ");
  };
  show();
  setInterval(show, 1000);
}
