import { INSTRUCTIONS, readTextField, type RawInstruction } from './plan-format.js';

/** Whether an instruction of a plan sets a variable that `env` (`NAME=VALUE`) sets otherwise. */
export function isReplaced({ op, body }: RawInstruction, env: readonly string[]): boolean {
  if (op !== INSTRUCTIONS.ENVIRONMENT.op) return false;
  const name = nameOf(readTextField(body, 0));
  return env.some((text) => nameOf(text) === name);
}

function nameOf(variable: string): string {
  return variable.split('=', 1)[0] ?? '';
}
