// A kernel under the pointer is marked wherever it is shown in its section.
for (const section of document.querySelectorAll("section")) {
  const parts = [...section.querySelectorAll("[data-k]")];
  const mark = (number) => {
    for (const part of parts) part.classList.toggle("lit", number !== undefined && part.dataset.k === number);
  };
  section.addEventListener("pointerover", (event) => mark(event.target.closest("[data-k]")?.dataset.k));
  section.addEventListener("pointerleave", () => mark(undefined));
}
// Wide drawings begin at their first input.
for (const pane of document.querySelectorAll(".scroll")) {
  const first = (pane.querySelector(".input") ?? pane.querySelector(".box"))?.getBoundingClientRect();
  if (first) pane.scrollLeft += first.x + first.width / 2 - pane.getBoundingClientRect().x - pane.clientWidth / 2;
}
