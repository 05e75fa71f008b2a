// @trustvc/trustvc: credentials with the subjects of the documents, issued (ecdsa-sd-2023, every member to be disclosed apart)
// and verified by who holds them, where all is shown. Nothing is stored. Told: the documents a second of each round.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(`${process.cwd()}/`);
const { deriveW3C, signW3C, verifyW3CSignature } = require('@trustvc/trustvc/w3c');
const { issueDID, CryptoSuite } = require('@trustvc/w3c-issuer');
const { getDocumentLoader } = require('@trustvc/w3c-vc');

const [file, rounds] = process.argv.slice(2);
const subjects = readFileSync(file, 'utf8').trim().split('\n').map((line) => own(JSON.parse(line)));

// Members by names of their own: some of ours mean something else in the contexts of credentials.
function own(value) {
  if (Array.isArray(value)) return value.map(own);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [`own_${name}`, own(member)]));
}
const { wellKnownDid, didKeyPairs } = await issueDID({
  domain: 'https://bench.example/.well-known/did.json', type: CryptoSuite.EcdsaSd2023,
});
const [method] = wellKnownDid.verificationMethod;
const documentLoader = await getDocumentLoader({
  [wellKnownDid.id]: wellKnownDid, [method.id]: { '@context': wellKnownDid['@context'], ...method },
});

const rates = [];
for (let round = 0; round < Number(rounds); round++) {
  const begun = performance.now();
  for (const subject of subjects) {
    const made = await signW3C({
      '@context': ['https://www.w3.org/ns/credentials/v2', 'https://w3id.org/security/data-integrity/v2',
        { '@vocab': 'https://bench.example/' }],
      type: ['VerifiableCredential'], issuer: wellKnownDid.id, validFrom: '2026-01-01T00:00:00Z', credentialSubject: subject,
    }, didKeyPairs, 'ecdsa-sd-2023', { documentLoader, mandatoryPointers: ['/issuer'] });
    if (!made.signed) throw new Error(made.error);
    const shown = await deriveW3C(made.signed, ['/credentialSubject'], { documentLoader });
    if (!shown.derived) throw new Error(shown.error);
    const found = await verifyW3CSignature(shown.derived, { documentLoader });
    if (!found.verified) throw new Error(found.error);
  }
  rates.push(subjects.length / (performance.now() - begun) * 1000);
}
console.log(JSON.stringify(rates));
process.exit(0);
