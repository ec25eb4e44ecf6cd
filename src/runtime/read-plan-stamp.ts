import { INSTRUCTIONS, PLAN_FORMAT, planChecksum } from './plan-format.js';

/** What a plan says of the config.json that it was made from. */
export interface PlanStamp {
  readonly path: string;
  readonly sizeBytes: bigint;
  readonly mtimeNs: bigint;
}

/** A plan as far as it can be told from outside; `problem` says why the launcher would refuse it. */
export type PlanReading =
  | { readonly kind: 'sound'; readonly stamp: PlanStamp | undefined }
  | { readonly kind: 'newer'; readonly format: number }
  | { readonly kind: 'damaged'; readonly problem: string };

const HEADER_BYTES = 24;

/**
 * Reads the stamp of a launch plan, and tells a damaged one by the checks of the launcher: header, length, checksum. The
 * instructions themselves are looked into only to find the stamp.
 */
export function readPlanStamp(plan: Buffer): PlanReading {
  if (plan.length < HEADER_BYTES || plan.toString('latin1', 0, 8) !== 'BERTHPLN')
    return { kind: 'damaged', problem: 'it is no launch plan' };
  const format = plan.readUInt32LE(8);
  if (format > PLAN_FORMAT) return { kind: 'newer', format };
  if (plan.readUInt32LE(12) !== plan.length)
    return { kind: 'damaged', problem: 'it is cut short, or something was added to it' };
  if (plan.readUInt32LE(16) !== planChecksum(plan))
    return { kind: 'damaged', problem: 'its checksum is wrong' };
  return { kind: 'sound', stamp: findStamp(plan) };
}

function findStamp(plan: Buffer): PlanStamp | undefined {
  for (let at = HEADER_BYTES; at + 8 <= plan.length; at += 8 + plan.readUInt32LE(at + 4)) {
    if (plan.readUInt32LE(at) !== INSTRUCTIONS.STAMP.op) continue;
    const body = plan.subarray(at + 8, at + 8 + plan.readUInt32LE(at + 4));
    if (body.length < 4) return undefined;
    const length = body.readUInt32LE(0);
    const after = 4 + length + ((4 - (length % 4)) % 4);
    if (length === 0 || after + 16 > body.length) return undefined;
    return {
      path: body.toString('utf8', 4, 4 + length - 1),
      sizeBytes: body.readBigUInt64LE(after),
      mtimeNs: body.readBigUInt64LE(after + 8),
    };
  }
  return undefined;
}
