// Photographs come in by dropping, pasting or choosing.

import { isNoPhotograph } from "./formats.js";

/** onFiles: called with a list of photographs and how many other files were left out; not both none. */
export function intake(chooser, onFiles) {
  const give = (files) => {
    const photographs = files.filter((file) => !isNoPhotograph(file));
    if (files.length) onFiles(photographs, files.length - photographs.length);
  };
  chooser.addEventListener("change", () => {
    give([...chooser.files]);
    chooser.value = ""; // so that choosing the same file again counts as a change
  });

  let pasted = 0;
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    // Office programs put a picture of a text beside it.
    const isText = event.target.closest?.("input, textarea") && event.clipboardData.types.includes("text/plain");
    if (!files.length || isText) return;
    event.preventDefault();
    // What is copied from a page or a screen is called "image.png", every time.
    give(
      files.map((file) => {
        if (!/^image\.\w+$/.test(file.name)) return file;
        pasted += 1;
        return new File([file], file.name.replace("image", `pasted-${pasted}`), { type: file.type });
      }),
    );
  });

  // The whole page takes a drop: one that misses the frame would make the browser leave the page.
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dragging", depth > 0);
  };
  document.addEventListener("dragenter", (event) => carriesFiles(event) && mark(1));
  document.addEventListener("dragleave", (event) => carriesFiles(event) && mark(-1));
  document.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  document.addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    mark(-Infinity);
    // Entries have to be taken before the first await; after it the event is empty.
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
    const found = await Promise.all(entries.filter(Boolean).map(filesOf));
    give(found.flat());
  });
}

// The files of an entry, folders all the way down. Those that cannot be read are left out, and
// hidden ones and hidden folders, without a word: most people never saw them.
async function filesOf(entry) {
  if (entry instanceof File) return [entry];
  if (entry.isFile) {
    return new Promise((resolve) => entry.file((file) => resolve([file]), () => resolve([])));
  }
  const reader = entry.createReader();
  const inside = [];
  for (;;) {
    // A reader gives a hundred entries at a time, and an empty list at the end.
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) break;
    inside.push(...some.filter((child) => !child.name.startsWith(".")));
  }
  return (await Promise.all(inside.map(filesOf))).flat();
}
