// Asks whether the service is back, and then loads the page again.

const again = async () => {
  try {
    const answer = await fetch("/is-there", { cache: "no-store" });
    if (answer.status === 204) {
      location.replace(location.href);
      return;
    }
  } catch {
    // The console itself may be away, too: ask again.
  }
  setTimeout(again, 2000);
};
setTimeout(again, 2000);
