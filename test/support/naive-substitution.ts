/**
 * Substitution as one writes it in a hurry: the positive control of the hostile tests of values. Values become syntax,
 * inherited properties become values, and what is no placeholder stays.
 */
export function substituteNaively(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_whole, braced?: string, named?: string) =>
    String(values[braced ?? named ?? '']),
  );
}
