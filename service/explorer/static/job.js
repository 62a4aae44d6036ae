// The page of a job follows it: after each event it is fetched anew, and its parts marked `data-live` take the place of the old ones.
const TYPES = ["queued", "running", "progress", "stage", "requeued", "cancelling", "canceled", "succeeded", "failed", "expired"];
const ENDS = ["canceled", "succeeded", "failed", "expired"];
const PAUSE = 500;
const source = new EventSource(document.querySelector("[data-events]").dataset.events);
let waiting = false;

async function refresh() {
  waiting = false;
  const reply = await fetch(location.href);
  if (!reply.ok) return;
  const page = new DOMParser().parseFromString(await reply.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    fresh.open = part.open;
    part.replaceWith(fresh);
  }
}

function hear(event) {
  if (ENDS.includes(event.type)) {
    source.close();
    location.reload();
  } else if (!waiting) {
    waiting = true;
    setTimeout(refresh, PAUSE);
  }
}

TYPES.forEach((type) => source.addEventListener(type, hear));
// all streams of the service may be taken: then the page is fetched anew by itself
source.addEventListener("error", () => source.readyState === EventSource.CLOSED && setTimeout(() => location.reload(), 10 * PAUSE));
