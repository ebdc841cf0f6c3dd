// pure · the kinds of options that commands have, for yargs.

export const number = (value: number, describe: string) =>
  ({ type: 'number', default: value, describe }) as const;
export const flag = (describe: string) => ({ type: 'boolean', default: false, describe }) as const;

export const JSON_FLAG = flag('one JSON document on standard output, progress on standard error');
