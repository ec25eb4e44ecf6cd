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

/**
 * All names of one image, as a column has them: the first, and how many more there are. Where some were sought by what they
 * contain, the first that has the most of it, or nobody would see why the image is listed.
 */
export function shortenNames(names: string, sought: readonly string[] = []): string {
  const all = names.split(', ');
  const found = (name: string): number => sought.filter((text) => name.includes(text)).length;
  const most = Math.max(...all.map(found));
  const first = all.find((name) => found(name) === most) ?? '';
  return all.length === 1 ? first : `${first} +${all.length - 1}`;
}
