import { exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { TOKEN_TYPE } from '../identity/caller.ts'

/** What a forger who holds everything but one thing would send, and the code that each is refused with. */
export type BadToken = [what: string, authorization: string | null, code: string]

/** The key pair that tokens are trusted of, and a good token's claims, `iat` of now. */
export type Forge = { privateKey: CryptoKey; publicKey: CryptoKey; kid: string; claims: Record<string, unknown> & { iat: number } }

/**
 * Tokens that no process may take: wrong in one way each, after RFC 8725 and the ways that libraries were tricked by. For tests, which alone can
 * sign with the real key.
 */
export async function badTokens({ privateKey, publicKey, kid, claims }: Forge): Promise<BadToken[]> {
  const now = claims.iat
  const stranger = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
  type Changes = { header?: Record<string, unknown>; claims?: Record<string, unknown>; key?: CryptoKey }
  const sign = ({ header, claims: more, key = privateKey }: Changes = {}) =>
    new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg: 'EdDSA', kid, typ: TOKEN_TYPE, ...header }).sign(key)
  const good = await sign()
  const [head, body, signature] = good.split('.') as [string, string, string]
  const hmac = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', kid, typ: TOKEN_TYPE })
    .sign(new TextEncoder().encode(await exportSPKI(publicKey)))
  return [
    ['no header', null, 'unauthenticated'],
    ['an empty header', '', 'unauthenticated'],
    ['another scheme', `Basic ${btoa('a:b')}`, 'unauthenticated'],
    ['the scheme alone', 'Bearer', 'token_invalid'],
    ['two tokens', `Bearer ${good}, Bearer ${good}`, 'token_invalid'],
    ['a token after the token', `Bearer ${good} ${good}`, 'token_invalid'],
    ['two parts', `Bearer ${head}.${body}`, 'token_invalid'],
    ['four parts', `Bearer ${good}.x`, 'token_invalid'],
    ['no signature', `Bearer ${head}.${body}.`, 'token_invalid'],
    ['a truncated signature', `Bearer ${good.slice(0, -8)}`, 'token_invalid'],
    ['a changed body', `Bearer ${head}.${encode({ ...claims, role: 'admin' })}.${signature}`, 'token_invalid'],
    ['alg none', `Bearer ${encode({ alg: 'none', typ: TOKEN_TYPE })}.${body}.`, 'token_invalid'],
    ['alg none with a signature', `Bearer ${encode({ alg: 'none', kid, typ: TOKEN_TYPE })}.${body}.${signature}`, 'token_invalid'],
    ['HS256 over the public key', `Bearer ${hmac}`, 'token_invalid'],
    ['another key', `Bearer ${await sign({ key: stranger.privateKey })}`, 'token_invalid'],
    ['an unknown kid', `Bearer ${await sign({ header: { kid: 'two' } })}`, 'token_invalid'],
    ['a path for a kid', `Bearer ${await sign({ header: { kid: '../../etc/passwd' } })}`, 'token_invalid'],
    ['SQL for a kid', `Bearer ${await sign({ header: { kid: "' or 1=1 --" } })}`, 'token_invalid'],
    ['no kid', `Bearer ${await sign({ header: { kid: undefined } })}`, 'token_invalid'],
    ['a key in the header', `Bearer ${await sign({ header: { kid: 'two', jwk: {} } })}`, 'token_invalid'],
    ['a key set in the header', `Bearer ${await sign({ header: { kid: 'two', jku: 'http://localhost/keys' } })}`, 'token_invalid'],
    ['a certificate in the header', `Bearer ${await sign({ header: { kid: 'two', x5u: 'http://localhost/x' } })}`, 'token_invalid'],
    [
      'an unknown critical extension',
      `Bearer ${encode({ alg: 'EdDSA', kid, typ: TOKEN_TYPE, crit: ['x'], x: 1 })}.${body}.${signature}`,
      'token_invalid'
    ],
    ['another type', `Bearer ${await sign({ header: { typ: 'JWT' } })}`, 'token_invalid'],
    ['no type', `Bearer ${await sign({ header: { typ: undefined } })}`, 'token_invalid'],
    ['another issuer', `Bearer ${await sign({ claims: { iss: 'else' } })}`, 'token_invalid'],
    ['another audience', `Bearer ${await sign({ claims: { aud: 'else' } })}`, 'token_invalid'],
    ['no audience', `Bearer ${await sign({ claims: { aud: undefined } })}`, 'token_invalid'],
    ['expired', `Bearer ${await sign({ claims: { exp: now } })}`, 'token_expired'],
    ['no expiry', `Bearer ${await sign({ claims: { exp: undefined } })}`, 'token_invalid'],
    ['an expiry that is no number', `Bearer ${await sign({ claims: { exp: 'never' } })}`, 'token_invalid'],
    ['not yet valid', `Bearer ${await sign({ claims: { nbf: now + 60 } })}`, 'token_invalid'],
    ['no subject', `Bearer ${await sign({ claims: { sub: undefined } })}`, 'token_invalid'],
    ['no session', `Bearer ${await sign({ claims: { sid: undefined } })}`, 'token_invalid'],
    ['no role', `Bearer ${await sign({ claims: { role: undefined } })}`, 'token_invalid'],
    ['an unknown role', `Bearer ${await sign({ claims: { role: 'root' } })}`, 'token_invalid'],
    ['a list of roles', `Bearer ${await sign({ claims: { role: ['admin'] } })}`, 'token_invalid'],
    ['a refresh token', 'Bearer 0190a5b2-0000-7000-8000-000000000000.c2VjcmV0', 'token_invalid'],
    ['64 KiB of token', `Bearer ${'a'.repeat(65_536)}`, 'token_invalid'],
    ['percent signs', 'Bearer %00.%00.%00', 'token_invalid'],
    ['dots only', 'Bearer ..', 'token_invalid'],
    ['a body that is no JSON', `Bearer ${head}.${Buffer.from('{').toString('base64url')}.${signature}`, 'token_invalid']
  ]
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
