// What the names of files tell of them.

/** Of the formats that the service reads. */
const PICTURE = /\.(?:jpe?g|jpe|jfif|a?png|tiff?|webp|avif|hei[cf]|hif|bmp|dib|gif)$/i;
/** Of any: what follows the dot of "Mr. Lee" is none. */
const ANY = /\.[a-z]\w{0,11}$/i;

/** "portrait.tif" as "portrait", "Mr. Lee" as it is. */
export const withoutExtension = (name) => name.replace(PICTURE, "");

/**
 * Whether a file is clearly no photograph. One that only looks strange may be one all the same: a
 * browser does not know the type of every format, and not every name has an extension.
 */
export function isNoPhotograph({ name, type }) {
  // Hidden: systems put them beside photographs, some with the photograph's own extension.
  if (name.startsWith(".")) return true;
  return !type.startsWith("image/") && !PICTURE.test(name) && (Boolean(type) || ANY.test(name));
}
