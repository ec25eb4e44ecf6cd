/** Line types of tmpfiles.d(5) that make something where nothing stands. */
const MAKING = /^[dDvqQefFLpcbC]$/;

/** The paths that tmpfiles.d(5) lines make, in order. */
export function listMadePaths(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [type = '', path = ''] = line.trim().split(/\s+/);
    return MAKING.test(type.charAt(0)) && path.startsWith('/') ? [path] : [];
  });
}
