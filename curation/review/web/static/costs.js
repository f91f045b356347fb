// What an item cost is looked up when somebody opens where it comes from, and then put in there.

export function onToggle(event) {
  if (event.target.id === "provenance" && event.target.open) void lookUp(document.getElementById("cost"));
}

async function lookUp(place) {
  const link = place?.querySelector("a");
  if (!link || place.dataset.asked) return;
  place.dataset.asked = "yes";
  const answer = await fetch(link.href).catch(() => null);
  const page = new DOMParser().parseFromString((await answer?.text().catch(() => "")) ?? "", "text/html");
  const told = answer?.ok ? page.getElementById("cost") : null;
  if (told) place.replaceChildren(...[...told.childNodes].map((node) => document.adoptNode(node)));
  else delete place.dataset.asked;
}
