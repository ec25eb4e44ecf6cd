import { normaliseInRoot } from './compile-mounts.js';
import type { ImageUser } from './image-user.js';
import {
  encodeInstruction,
  INSTRUCTIONS,
  readTextField,
  type RawInstruction,
} from './plan-format.js';

/** Who runs a program of a container, and where, in place of its own. */
export interface OtherIdentity {
  readonly user?: ImageUser | undefined;
  /** Absolute. */
  readonly directory?: string | undefined;
}

/**
 * The instructions of a container's plan for somebody else: user, groups, HOME, working directory. Rights stay those of the plan.
 * Root has what its config.json permits the container's own program, where that is not root's: of the bounding set that program
 * has nothing unless a set-user-ID program gives it some.
 *
 * @throws OperationalError RUNTIME_CONFIG_INVALID for a path with `..`
 */
export function withIdentity(
  plan: readonly RawInstruction[],
  { user, directory }: OtherIdentity,
): readonly RawInstruction[] {
  const permitted = plan.find(({ op }) => op === INSTRUCTIONS.CAPABILITIES.op)?.body;
  return plan.map((instruction) => {
    const { op, body } = instruction;
    if (op === INSTRUCTIONS.DIRECTORY.op && directory !== undefined)
      return encodeInstruction(['DIRECTORY', normaliseInRoot(directory, 'the working directory')]);
    if (user === undefined) return instruction;
    if (op === INSTRUCTIONS.USER.op) return otherUser(body, user, permitted?.readBigUInt64LE(8));
    if (op === INSTRUCTIONS.ENVIRONMENT.op && readTextField(body, 0).startsWith('HOME='))
      return encodeInstruction([
        'ENVIRONMENT',
        `HOME=${user.home ?? (user.uid === 0 ? '/root' : '/')}`,
      ]);
    return instruction;
  });
}

/** The umask, and whether groups can be set at all, stay the container's. */
function otherUser(own: Buffer, user: ImageUser, permitted: bigint | undefined): RawInstruction {
  const groups = [...new Set([user.gid, ...user.groups])];
  const bytes = Buffer.alloc(groups.length * 4);
  for (const [index, gid] of groups.entries()) bytes.writeUInt32LE(gid, index * 4);
  // Group ids are four bytes each: nothing is padded.
  const after = 12 + own.readUInt32LE(8);
  const bounding = own.readBigUInt64LE(after + 4);
  const becomesRoot = user.uid === 0 && own.readUInt32LE(0) !== 0;
  return encodeInstruction([
    'USER',
    user.uid,
    user.gid,
    bytes,
    own.readUInt32LE(after),
    becomesRoot ? bounding & (permitted ?? 0n) : bounding,
  ]);
}
