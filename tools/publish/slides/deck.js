// Keys of a deck: arrows, Page Up and Page Down, Space, Home and End move; n shows the notes, t turns light and dark.
const slides = [...document.querySelectorAll(".slide")];
const here = () => slides.findIndex(slide => slide.getBoundingClientRect().bottom > innerHeight / 2);
const go = place => slides[Math.max(0, Math.min(slides.length - 1, place))].scrollIntoView();
const press = name => document.getElementById(name).click();

document.getElementById("notes").onclick = event => {
  const place = here();
  const on = document.body.classList.toggle("with-notes");
  event.target.setAttribute("aria-pressed", on);
  go(place);
};
document.getElementById("theme").onclick = event => {
  const root = document.documentElement.style;
  const dark = root.colorScheme ? root.colorScheme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.colorScheme = dark ? "light" : "dark";
  event.target.setAttribute("aria-pressed", !dark);
};
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const move = {ArrowRight: 1, ArrowDown: 1, PageDown: 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1}[event.key];
  if (move) go(here() + move);
  else if (event.key === " " && event.target.tagName !== "BUTTON") go(here() + (event.shiftKey ? -1 : 1));
  else if (event.key === "Home") go(0);
  else if (event.key === "End") go(slides.length - 1);
  else if (event.key === "n") press("notes");
  else if (event.key === "t") press("theme");
  else return;
  event.preventDefault();
});
