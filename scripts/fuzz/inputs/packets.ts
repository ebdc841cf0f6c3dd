// pure · packets by the grammar of the protocol: every type and field, right or slightly off, in any way of writing JSON.
// Must never make what is not one JSON object in UTF-8, or name the policy of the client that has to be served.
import type { Random } from '../../kit/random.ts';
import { drawString, escapeAll, ODD_VALUES } from './texts.ts';

// Name and value as JSON has them.
type Field = [name: string, value: string];

const IDS = [
  '1',
  '2',
  '111',
  '"111"',
  '0',
  '-7',
  '1.5',
  '9007199254740991',
  '9007199254740993',
  '1.0',
  '-0',
  '"server-1"',
  '"health"',
  `"${'i'.repeat(128)}"`,
  '"é🙂"',
];
const POLICIES = [
  '1',
  '"1"',
  '2',
  '3',
  '0',
  '"gdpr"',
  '"\\u0031"',
  '-1',
  '1e-400',
  '9007199254740992',
  '"__proto__"',
  '"constructor"',
];
// Nothing listens there, and the sender's address is none that a real server has.
const PORTS = ['1', '2', '9', '"7"', '1023', '65535'];
const CODES = ['"NO_SERVER"', '"OVERLOADED"', '"MADE_UP"', '""', '7'];
const UNKNOWN_TYPES = ['5', '-3', '7', '"request"', '99', '" 5 "'];
const EXTRA_NAMES = [
  '"extra"',
  '""',
  '"__proto__"',
  '"constructor"',
  '"prototype"',
  '"toString"',
  '"length"',
];
const NAMES = ['"type"', '"srcid"', '"id"', '"privPoliId"', '"privPolyId"', '"payload"', '"listenport"'];
const SPACES = ['', '', ' ', '\n', '\r\n', '\t', '  \n\t '];
// Programs in C send the NUL that ends their string.
const BETWEEN = [...SPACES, '\0', '\n\0', '\0 \0'];
const POLLUTION = '{"polluted":true}';

const KINDS: readonly ((random: Random) => Field[])[] = [
  requestFields,
  requestFields,
  requestFields,
  setupFields,
  (random) => [typeField(random, '2'), ...ids(random), ['"payload"', drawString(random)]],
  errorFields,
  (random) => [typeField(random, '3'), ['"srcid"', random.pick(IDS)]],
  (random) => [typeField(random, '4'), ['"id"', random.pick(IDS)]],
  (random) => [typeField(random, '-2')],
  (random) => [typeField(random, '5'), ['"nonce"', drawString(random)]],
  (random) => [['"type"', random.pick(UNKNOWN_TYPES)], ...ids(random)],
];

const TWEAKS: readonly ((fields: Field[], random: Random) => void)[] = [
  (fields, random) => void fields.splice(at(fields, random), 1),
  (fields, random) => {
    const field = fields[at(fields, random)];
    if (field !== undefined) field[1] = random.pick(ODD_VALUES);
  },
  (fields, random) => {
    const field = fields[at(fields, random)];
    if (field !== undefined) fields.push([field[0], random.pick(ODD_VALUES)]);
  },
  (fields, random) =>
    void fields.unshift([random.pick(EXTRA_NAMES), random.pick([POLLUTION, ...ODD_VALUES])]),
  (fields, random) => void fields.push([random.pick(NAMES), random.pick(ODD_VALUES)]),
  (fields, random) => void fields.splice(0, fields.length, ...random.shuffle(fields)),
  (fields) => {
    for (const field of fields) field[0] = escapeAll(JSON.parse(field[0]));
  },
  (fields) => {
    for (const field of fields) if (field[0] === '"privPoliId"') field[0] = '"privPolyId"';
  },
];

/** The text of one packet. */
export function drawPacket(random: Random): string {
  const fields = random.pick(KINDS)(random);
  for (let left = random.pick([0, 0, 0, 1, 1, 2]); left > 0; left -= 1) random.pick(TWEAKS)(fields, random);
  return write(fields, random);
}

/** What may stand between two packets. */
export function drawSpace(random: Random): string {
  return random.pick(BETWEEN);
}

function requestFields(random: Random): Field[] {
  return [
    typeField(random, '0'),
    ['"srcid"', random.pick(IDS)],
    ['"privPoliId"', random.pick(POLICIES)],
    ['"payloadsize"', random.pick(['5', '999', '"5"', '-1'])],
    ['"payload"', drawString(random)],
  ];
}

function setupFields(random: Random): Field[] {
  const fields: Field[] = [
    typeField(random, '1'),
    ['"id"', random.pick(IDS)],
    ['"privPoliId"', random.pick(POLICIES)],
    ['"listenport"', random.pick(PORTS)],
  ];
  const extensions: Field[] = [
    ['"session"', random.pick(['true', 'true', 'false', '1', '"true"'])],
    ['"keepAlive"', random.pick(['true', 'true', 'false', '0', 'null'])],
    ['"incarnation"', drawString(random)],
    ['"auth"', random.pick(['"hmac-sha-256"', '"plain"', 'true'])],
    ['"proof"', drawString(random)],
  ];
  return [...fields, ...extensions.filter(() => random.between(0, 1) === 0)];
}

function errorFields(random: Random): Field[] {
  return [
    typeField(random, '-1'),
    ['"destid"', random.pick(IDS)],
    ['"code"', random.pick(CODES)],
    ['"retryable"', random.pick(['true', 'false', '1'])],
    ['"sent"', random.pick(['true', 'false', '"no"'])],
    ['"payload"', drawString(random)],
  ];
}

function ids(random: Random): Field[] {
  return [
    ['"srcid"', random.pick(IDS)],
    ['"destid"', random.pick(IDS)],
  ];
}

function typeField(random: Random, type: string): Field {
  return ['"type"', random.pick([type, type, type, `"${type}"`, `" ${type}\\n"`])];
}

function at(fields: readonly Field[], random: Random): number {
  return random.between(0, Math.max(0, fields.length - 1));
}

function write(fields: readonly Field[], random: Random): string {
  const isLoose = random.between(0, 3) === 0;
  const space = (): string => (isLoose ? random.pick(SPACES) : '');
  const members = fields.map(([name, value]) => `${space()}${name}${space()}:${space()}${value}${space()}`);
  return `{${members.join(',')}${members.length === 0 ? space() : ''}}`;
}
