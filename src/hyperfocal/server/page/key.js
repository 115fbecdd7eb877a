// Asking for an API key.

// Mails and documents put in characters that are not seen, or dashes of their own; keys have none,
// and a browser sends none.
const bare = (text) => text.replace(/[^\x21-\x7e]/g, "");

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
        () => resolve(dialog.returnValue === "use" ? bare(form.elements.key.value) || null : null),
        { once: true },
      );
      dialog.showModal();
    });
}
