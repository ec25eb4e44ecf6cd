/** What a variable stands for: text for the `$NAME` dialect and for lines, typed where Handlebars or JSON ask for it. */
export type TypedValue = string | number | boolean | readonly string[];

/** A value and where it came from. */
export interface ResolvedValue {
  /** As it was written: what `$NAME` gives. */
  readonly text: string;
  /** By the type that the manifest declares; the text itself where it declares none. */
  readonly typed: TypedValue;
  /** Who decided it: berth, the host's defaults, the image's manifest, the values file, `--set`. */
  readonly source: 'forced' | 'host' | 'default' | 'file' | 'set';
  /** Whether it is a secret: `text` is then the path at which the container finds it, never what it is. */
  readonly secret: boolean;
  /** Whether the text is berth's own unit syntax (a command line with its quotes) and goes into a unit as it is. */
  readonly isUnitSyntax: boolean;
}

/** Values by variable name. A Map, so that `constructor` and `__proto__` are names like any other. */
export type Values = ReadonlyMap<string, ResolvedValue>;
