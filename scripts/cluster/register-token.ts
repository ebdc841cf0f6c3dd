// shell · the secret that the cluster's servers prove to know: made once, kept beside the project, mounted by Compose.
// Must never overwrite one: whatever runs has the old one still.
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isThere } from '../kit/is-there.ts';
import { ROOT, readSetting, writeSettings } from '../kit/project.ts';

const FOLDER = '.secrets';
const FILE = `./${FOLDER}/register-token`;
const TOKEN_BYTES = 32;

/**
 * Makes the token unless it is there, and writes into .env where it is. Where somebody has set another place, that one
 * is taken; set to nothing, there is no token, and whoever reaches the port may register.
 */
export async function prepareRegisterToken(): Promise<void> {
  if (process.env.REGISTER_TOKEN_FILE === '') return;
  const file = readSetting('REGISTER_TOKEN_FILE') ?? FILE;
  if (file !== FILE) return;
  // The roles in the containers are not root and have to read it: the folder keeps everybody else on this machine away.
  await mkdir(join(ROOT, FOLDER), { recursive: true });
  await chmod(join(ROOT, FOLDER), 0o700);
  if (!(await isThere(join(ROOT, FILE)))) {
    // Whole or not at all, whatever ends us.
    const draft = join(ROOT, FOLDER, `draft-${process.pid}`);
    await writeFile(draft, `${randomBytes(TOKEN_BYTES).toString('hex')}\n`);
    await chmod(draft, 0o444);
    await rename(draft, join(ROOT, FILE));
  }
  await writeSettings({ REGISTER_TOKEN_FILE: FILE });
}
