// pure · what a person reads of a run of the fuzzer. Must never leave out how to see a finding again.
import { printable, printableLines } from '../../services/shared/printable.ts';
import { drawInput } from './inputs/draw.ts';
import type { InProcessTally } from './messages.ts';
import { type Place, SCRIPT_NAME } from './options.ts';
import type { Finding } from './oracle.ts';
import type { SocketsTally } from './sockets.ts';

const DUMP_BYTES = 200;
const SHOWN_NUMBERS = 8;

/** "230,000 inputs, 900,000 frames". */
export function summariseInProcess({ inputs, frames }: InProcessTally): string {
  return `${count(inputs)} inputs, ${count(frames)} frames`;
}

/** "24,000 inputs, 70,000 replies". */
export function summariseSockets({ inputs, replies }: SocketsTally): string {
  return `${count(inputs)} inputs, ${count(replies)} replies`;
}

/** Whether every branch was taken; what was not run, line by line. */
export function describeCoverage({ coverage, slowest }: InProcessTally): string {
  const files = coverage?.map(({ file, branches, covered, missing }) => {
    const lines = missing.map(({ line, text }) => `  ${file}:${line}  ${text}`);
    return [`${file}: ${covered} of ${branches} branches taken`, ...lines].join('\n');
  }) ?? ['Which branches were taken was not looked at: that takes a run from the beginning.'];
  const { number, ms, bytes } = slowest;
  return [...files, `Slowest input: ${ms.toFixed(1)} ms for ${count(bytes)} bytes (number ${number})`].join(
    '\n',
  );
}

/** How the normal client fared. */
export function describeBystander({ bystander }: SocketsTally): string {
  const { requests, answered, slowestMs } = bystander;
  return `Normal client: ${count(answered)} of ${count(requests)} requests answered right, the slowest in ${Math.round(slowestMs)} ms`;
}

/** What was found, the bytes that did it, and how to see it again. */
export function describeFinding(
  place: Place,
  seed: number,
  { check, detail: found }: Finding,
  numbers: readonly number[],
  file: string | null,
): string {
  const [first] = numbers;
  // A stack has lines of its own.
  const detail = printableLines(found);
  if (first === undefined) return `Not kept ${where(place)}: ${check}\n  ${detail}`;
  const { origin, bytes } = drawInput(seed, first);
  const others =
    numbers.length > 1 ? `  under way with it: ${numbers.slice(1, SHOWN_NUMBERS).join(', ')}` : '';
  return [
    `Not kept ${where(place)}: ${check}`,
    `  ${detail}`,
    `  seed ${seed}, input ${first} (${origin}), ${count(bytes.length)} bytes: ${dump(bytes)}`,
    others,
    file === null ? '' : `  the bytes: ${file}`,
    `  again: ${SCRIPT_NAME} --seed ${seed} --input ${first} --only ${place}`,
  ]
    .filter((line) => line !== '')
    .join('\n');
}

function where(place: Place): string {
  return place === 'sockets' ? 'over sockets' : place;
}

function dump(bytes: Buffer): string {
  const text = printable(JSON.stringify(bytes.toString('latin1', 0, DUMP_BYTES)));
  return bytes.length > DUMP_BYTES ? `${text}…` : text;
}

function count(number: number): string {
  return number.toLocaleString('en');
}
