// Asking for an API key.

/** A function for Api: given whether a key has been refused, resolves to a key or to null. */
export function keyDialog(dialog) {
  const form = dialog.querySelector("form");
  const text = dialog.querySelector("#key-text");
  const plain = text.textContent;
  return (refused) =>
    new Promise((resolve) => {
      text.textContent = refused ? "That key was not accepted. Check it, or ask for another." : plain;
      form.reset();
      dialog.returnValue = "";
      dialog.addEventListener(
        "close",
        () => resolve(dialog.returnValue === "use" ? form.elements.key.value.trim() || null : null),
        { once: true },
      );
      dialog.showModal();
    });
}
