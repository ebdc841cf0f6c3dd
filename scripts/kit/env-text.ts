// pure · the text of a .env file. Must never change a line that it was not asked to.

/**
 * Sets `NAME=value` in the text of a .env file: in place where the name stands, else at the end. The value is written in
 * the way that Compose and Node read alike, as scripts/run checks it.
 * @throws Error for a value that there is no such way for
 */
export function upsertEnv(text: string, settings: Readonly<Record<string, string>>): string {
  let result = text;
  for (const [name, value] of Object.entries(settings)) {
    const line = new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=.*$`, 'm');
    const entry = `${name}=${quoted(name, value)}`;
    if (line.test(result)) result = result.replace(line, () => entry);
    else result = `${result}${result === '' || result.endsWith('\n') ? '' : '\n'}${entry}\n`;
  }
  return result;
}

// As it is, in single quotes, or in double quotes: in neither of them a backslash, and in double ones no variable.
function quoted(name: string, value: string): string {
  if (/^([!%&(-_a-~]([ -"%-~]*[!"%-~])?)?$/.test(value)) return value;
  if (/^[^'\\\p{Cc}]*$/u.test(value)) return `'${value}'`;
  if (/^[^"$\\\p{Cc}]*$/u.test(value)) return `"${value}"`;
  throw new Error(
    `${name} is ${value}: that can't be written into .env so that Compose and Node read the same.`,
  );
}
