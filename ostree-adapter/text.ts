/** Whether C and GVariant take a string for what it is: no NUL, which would end it, and no half of a surrogate pair. */
export function isCleanText(text: unknown): text is string {
  return typeof text === 'string' && !text.includes('\0') && !/\p{Surrogate}/u.test(text);
}
