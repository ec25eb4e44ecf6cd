/** Something that must not be. */
export interface Violation {
  /** Of the list in check-invariants.ts: `I1` … `I16`. */
  readonly id: string;
  readonly what: string;
}

/** Takes a violation down. */
export type Report = (id: string, what: string) => void;
