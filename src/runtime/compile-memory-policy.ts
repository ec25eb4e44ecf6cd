import { quote } from '../base/escape-text.js';
import { lookUp } from '../base/look-up.js';
import { OperationalError } from '../errors/operational-error.js';
import type { RuntimeMemoryPolicy } from '../oci/runtime-config.js';
import { parseNumberList } from './number-list.js';
import type { Instruction } from './plan-format.js';

/** set_mempolicy(2): the number of a mode, and whether it takes nodes. */
const MODES: Readonly<
  Record<string, { readonly number: number; readonly nodes: 'none' | 'some' | 'either' }>
> = {
  MPOL_DEFAULT: { number: 0, nodes: 'none' },
  MPOL_PREFERRED: { number: 1, nodes: 'either' },
  MPOL_BIND: { number: 2, nodes: 'some' },
  MPOL_INTERLEAVE: { number: 3, nodes: 'some' },
  MPOL_LOCAL: { number: 4, nodes: 'none' },
  MPOL_PREFERRED_MANY: { number: 5, nodes: 'some' },
  MPOL_WEIGHTED_INTERLEAVE: { number: 6, nodes: 'some' },
};

const FLAGS: Readonly<Record<string, number>> = {
  MPOL_F_STATIC_NODES: 0x8000,
  MPOL_F_RELATIVE_NODES: 0x4000,
  MPOL_F_NUMA_BALANCING: 0x2000,
};

/** The modes and flags that are understood. */
export const MEMORY_POLICY_MODES = Object.keys(MODES).sort();
/** See {@link MEMORY_POLICY_MODES}. */
export const MEMORY_POLICY_FLAGS = Object.keys(FLAGS).sort();

/** The mask is read in words of 64 bits, and its length is said one bit too long (mm/mempolicy.c, get_nodes). */
const WORD_BYTES = 8;

/**
 * Compiles `linux.memoryPolicy` (runtime-spec 1.3).
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID
 */
export function compileMemoryPolicy(
  policy: RuntimeMemoryPolicy | undefined,
): readonly Instruction[] {
  if (policy === undefined) return [];
  const mode = lookUp(MODES, policy.mode);
  if (mode === undefined) refuse('mode', `${quote(policy.mode)} is not one`);
  const nodes =
    policy.nodes === undefined
      ? Buffer.alloc(0)
      : parseNumberList(policy.nodes, 'linux.memoryPolicy.nodes');
  if (mode.nodes === 'some' && nodes.length === 0) refuse('nodes', `${policy.mode} needs some`);
  if (mode.nodes === 'none' && nodes.length > 0) refuse('nodes', `${policy.mode} takes none`);
  const flags = policy.flags.reduce((all, name) => {
    const flag = lookUp(FLAGS, name);
    return flag === undefined ? refuse('flags', `${quote(name)} is not one`) : all | flag;
  }, 0);
  if ((flags & 0xc000) === 0xc000) refuse('flags', 'nodes are either static or relative');
  const mask = Buffer.alloc(Math.ceil(nodes.length / WORD_BYTES) * WORD_BYTES);
  nodes.copy(mask);
  const bits = mask.length === 0 ? 0 : mask.length * 8 + 1;
  return [['MEMORY_POLICY', mode.number | flags, mask, bits]];
}

function refuse(member: string, problem: string): never {
  throw new OperationalError('RUNTIME_CONFIG_INVALID', `linux.memoryPolicy.${member}: ${problem}`);
}
