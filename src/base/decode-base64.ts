/**
 * The bytes of a text in base64 (RFC 4648, section 4): in its one right form, but for line breaks, which Go's decoder passes over and
 * programs write at the end. Undefined for anything else, and for nothing.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const plain = text.replace(/[\r\n]/g, '');
  const bytes = Buffer.from(plain, 'base64');
  return bytes.length > 0 && bytes.toString('base64') === plain ? bytes : undefined;
}
