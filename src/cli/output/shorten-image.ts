/** Widest column of images. */
const MAX_LETTERS = 48;

/**
 * The name of an image as a column has it: a digest is cut to what `images list` shows of it, and of what is longer still the end is
 * left, by which images of one registry differ.
 */
export function shortenImage(image: string): string {
  if (image.length <= MAX_LETTERS) return image;
  const short = image.replace(/(@[a-z0-9]+:[0-9a-f]{12})[0-9a-f]+$/, '$1…');
  return short.length <= MAX_LETTERS ? short : `…${short.slice(1 - MAX_LETTERS)}`;
}

/** All names of one image, as a column has them: the first, and how many more there are. */
export function shortenNames(names: string): string {
  const [first = '', ...others] = names.split(', ');
  return others.length === 0 ? first : `${first} +${others.length}`;
}
