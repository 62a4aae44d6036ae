const query = document.querySelector("#filter input[type=search]");
const only = document.querySelector("#filter input[type=checkbox]");
const cards = [...document.querySelectorAll("article")];
const shown = document.querySelector("#shown");
function filter() {
  const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const card of cards) {
    card.hidden = (only.checked && !("detector" in card.dataset)) || !words.every((word) => card.dataset.text.includes(word));
    count += !card.hidden;
  }
  shown.textContent = `${count} of ${cards.length} units`;
}
document.querySelector("#filter").hidden = false;
query.addEventListener("input", filter);
only.addEventListener("change", filter);
filter();
