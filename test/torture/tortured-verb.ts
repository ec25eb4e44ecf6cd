import type { Host } from '../../src/containers/host.js';

/** A command to torture, with what is to come before and after it. */
export interface TorturedVerb {
  readonly name: string;
  /** Brings a tree that has the folders of every system to where the command starts. */
  prepare(host: Host): Promise<void>;
  /** A command that is killed before the one in question starts: what it leaves is the start. */
  readonly broken?: BrokenStart;
  /** Command lines whose end, from the same start, is one that this command may be interrupted at. */
  readonly stages?: readonly (readonly string[])[];
  /** The start is damaged, and the command mends it: until it has, that is what checks find. */
  readonly isDamaged?: boolean;
  /** Texts that only files for secrets may hold. */
  readonly secrets?: readonly string[];
  /** Whether a failure leaves everything as it was; what removes goes on with the next command instead. */
  readonly takesBack: boolean;
  /** The command line, after `berth --root ROOT`. */
  readonly argv: readonly string[];
  /** The same in this process; that everything is done already is success. */
  again(host: Host): Promise<unknown>;
  /** Whether the opposite, where nothing was done, leaves everything as it is before the command. */
  readonly oppositeMayStay: boolean;
  /** Takes back what the command does, whether it was done or not. */
  opposite(host: Host): Promise<unknown>;
}

/** A command that leaves work behind says so by the one that does it. */
export const TOLD_TO_RECOVER = /'berth (?:--root \S+ )?recover'/;

/** A command that is killed, and where: at the first of these calls whose place fits. */
export interface BrokenStart {
  readonly argv: readonly string[];
  readonly call: string;
  /** Part of the path of what the call is about. */
  readonly place: string;
}

/** How large the images are: more files are more calls. */
export interface VerbSize {
  readonly files: number;
  readonly layers: number;
  readonly hostFiles: number;
}

/** Whether a verb is meant by what is said: its name, or what its name begins with before a bracket. */
export function isMeant({ name }: TorturedVerb, said: readonly string[] | undefined): boolean {
  return said?.some((word) => name === word || name.startsWith(`${word} (`)) ?? true;
}
