/** What of an installed container a finding is about. */
export type VerifyArea =
  | 'record'
  | 'unit'
  | 'drop-in'
  | 'tmpfiles'
  | 'config'
  | 'plan'
  | 'launcher'
  | 'host-file'
  | 'enablement'
  | 'rootfs'
  | 'sealed-root'
  | 'image'
  | 'runtime';

/** One thing that is not as it was installed. */
export interface VerifyFinding {
  readonly area: VerifyArea;
  /**
   * `drift`: not as berth put it there. `note`: an administrator's own doing that berth leaves alone (a drop-in beside
   * berth's, a unit that is not enabled), or something that could not be checked.
   */
  readonly severity: 'drift' | 'note';
  readonly path: string | undefined;
  /** In words, without the path. */
  readonly problem: string;
  /** A sentence; a command in it can be pasted. */
  readonly hint: string | undefined;
  /** The difference of a text by line; empty elsewhere. */
  readonly diff: readonly string[];
}

/** A finding with only what is given. */
export function finding(
  given: Pick<VerifyFinding, 'area' | 'problem'> & Partial<VerifyFinding>,
): VerifyFinding {
  return { severity: 'drift', path: undefined, hint: undefined, diff: [], ...given };
}
