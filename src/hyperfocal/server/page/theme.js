// Runs before the page is painted, so that nobody is dazzled by the wrong theme. Without a choice
// the system decides; choosing what the system says anyway goes back to that.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  function stored() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is off: the choice lasts as long as the page
    }
  }

  function store(theme) {
    try {
      if (theme) localStorage.setItem("theme", theme);
      else localStorage.removeItem("theme");
    } catch {
      // as above
    }
  }

  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);

  const chosen = stored();
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const show = () => button.setAttribute("aria-pressed", String(isDark()));
    button.addEventListener("click", () => {
      const wanted = isDark() ? "light" : "dark";
      const own = wanted !== (system.matches ? "dark" : "light");
      if (own) root.dataset.theme = wanted;
      else delete root.dataset.theme;
      store(own ? wanted : null);
      show();
    });
    system.addEventListener("change", show);
    show();
  });
})();
