import { quoteTmpfilesField } from './quote-tmpfiles-field.js';

/** What {@link generateTmpfiles} looks at. */
export interface GenerateTmpfilesInput {
  /** Sources of all bind mounts of the configuration, absolute. */
  readonly bindSources: readonly string[];
  /** Whether something stands there on the host. */
  readonly exists: (path: string) => boolean;
  /** Paths that the image's own tmpfiles make (and with them their parents); from `checkTmpfiles`. */
  readonly madeElsewhere: ReadonlySet<string>;
  readonly uid: number;
  readonly gid: number;
}

/**
 * tmpfiles.d lines for bind sources that do not exist and that nothing else makes: `d PATH 0700 UID GID - -`, as the
 * forerunner generated them and published images expect. Parents come before their children; `''` where there is
 * nothing to make.
 */
export function generateTmpfiles(input: GenerateTmpfilesInput): string {
  const missing = [...new Set(input.bindSources.map(normalize))]
    // What a line cannot hold is left missing: the mount then fails by its name.
    .filter(
      (path) =>
        path !== '/' &&
        !/[\u0000-\u001f\u007f]/.test(path) &&
        !isMade(path, input.madeElsewhere) &&
        !input.exists(path),
    )
    .sort();
  return missing
    .map(
      (path) =>
        `d ${quoteTmpfilesField(path.replaceAll('%', '%%'))} 0700 ${input.uid} ${input.gid} - -\n`,
    )
    .join('');
}

/** A tmpfiles line for a path makes the directories above it too. */
function isMade(path: string, made: ReadonlySet<string>): boolean {
  return [...made].some((other) => other === path || other.startsWith(`${path}/`));
}

function normalize(path: string): string {
  return `/${path
    .split('/')
    .filter((component) => component !== '' && component !== '.')
    .join('/')}`;
}
