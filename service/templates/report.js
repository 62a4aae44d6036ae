const query = document.querySelector("#filter input[type=search]");
const only = document.querySelector("#filter input[type=checkbox]");
const order = document.querySelector("#filter select");
const cards = [...document.querySelectorAll("article")];
const shown = document.querySelector("#shown");
function filter() {
  const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const card of cards) {
    card.hidden = (only?.checked && !("detector" in card.dataset)) || !words.every((word) => card.dataset.text.includes(word));
    count += !card.hidden;
  }
  shown.textContent = `${count} of ${cards.length} ${shown.dataset.what}`;
}
function sort() {
  cards.sort((a, b) => a.dataset[order.value] - b.dataset[order.value] || a.dataset.place - b.dataset.place);
  cards.forEach((card) => card.parentElement.append(card));
}
document.querySelector("#filter").hidden = false;
query.addEventListener("input", filter);
only?.addEventListener("change", filter);
order?.addEventListener("change", sort);
filter();
