/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and tokens made by openssl and Python's hmac, of no other use than this. All expire in 2100, with the subject alice. */
#ifndef ROUNDTRIP_TEST_GATEWAY_TOKENS_H
#define ROUNDTRIP_TEST_GATEWAY_TOKENS_H

/* ---- RFC 7515, appendix A.1 ---- */
#define RFC_TOKEN \
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt" \
    "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define RFC_KEY \
    "\x03\x23\x35\x4b\x2b\x0f\xa5\xbc\x83\x7e\x06\x65\x77\x7b\xa6\x8f" \
    "\x5a\xb3\x28\xe6\xf0\x54\xc9\x28\xa9\x0f\x84\xb2\xd2\x50\x2e\xbf" \
    "\xd3\xfb\x5a\x92\xd2\x06\x47\xef\x96\x8a\xb4\xc3\x77\x62\x3d\x22" \
    "\x3d\x2e\x21\x72\x05\x2e\x4f\x08\xc0\xcd\x9a\xf5\x67\xd0\x80\xa3"

/* ---- ours ---- */
#define SECRET "a secret of at least thirty-two bytes"
#define RS256_PEM \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAzG/UffSP+gWaQG7v+hSz\n" \
    "MLjD/9oqmsSgj1bft8Pq11IJz9S/PU2p2ZbuDX/BnNTSHUBU2VOfsQ/1BBEXekMY\n" \
    "emanCJoFdTDvj2/bqyDp8Z3chqbMuoFlxnt0CugR6bYYZ/QXSKYR8jjmxB/1YwUX\n" \
    "G37ixVtK6Jqoj+f6bM6po+PlVqvGR8hgYwq5wTPUJZWyRfi/6y+1TJO67nv/GfIO\n" \
    "jvQaZEdmjvUU3efifhrRiaqTln973C5om2gYKEl2tvKeZOFyMOY2abjW7LWbN28S\n" \
    "e97KoO3a/n8sCpdIhNrzofh/eS0Re9MyCqpv/nDUWAhuOcG/cS/ToQxO2yiK+PJ+\n" \
    "LQIDAQAB\n" \
    "-----END PUBLIC KEY-----\n"

#define RS256_TOKEN \
    "eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAiYWxpY2UiLCAiZXhwIjogNDEwMjQ0NDgwMH0.bMY7BtjK0Lq" \
    "CYDPag3JbR2MBPCMq9UaRWBWd4WBEzV4Oh4pMm4xAUBIso3RsMbKY-R4d3tZ3idiDrFaC5HkAUeyUnhnmqNnEKtfyOMUcMD03Fue" \
    "70SJSemfBVfJNyR-CWzAsukqqiIfelx5Im0uiZCNPMBDrZudFrPzX4hvmJ4TNBcvYi7-Rjn37Imq70C2FCp9Ajo9K9AUJwWtqgA5" \
    "jhhAnNsMVcAQdJXWjBnQZV0HYqrMb3dx_CyCQGqq9W8pPSFWshe_WKDQRCj2f6cdvYqbiLNH-r2JefZdWyokyp-oAMaoXtkFu8hN" \
    "HjfKOgk1-T5juhL6DM0bGMluxjybbPw"

#define RS512_HEAD_TOKEN \
    "eyJhbGciOiAiUlM1MTIiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAiYWxpY2UiLCAiZXhwIjogNDEwMjQ0NDgwMH0.PSAQgTziObm" \
    "bbhpUoBQjnCSUsuqMtYsk0qrZPSbtvMMb_B-T1hCJ257i2_Ji2nFy_YV4LbKXB-V0fxqH0dAAreocTdeN3C2Jf8u3o-rSKj-wBEM" \
    "5PWdVgrFbIgBsvqCy0aaGPhR7t1tEZO8kOL_YZJl1PyJGFBobliE1VOxs6mEn23sCj0AghvnzawQWcf5lrwfNh5k_06qLp-_xMr2" \
    "c7lPynLLqhm1EXmP1dk2zF-1tXJ7AzazdTDi3LxgAbosqiDR-1Tc2koksWKFfC2ksXFjIJt3DWYW1Q8PLlOiawKJrxD8fujuaLEJ" \
    "eQIqo_vnYQVnMOFIpFIpNeRWuzgscxw"

#define RS256_FORGED \
    "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAicm9vdCIsICJleHAiOiA0MTAyNDQ0ODAwfQ.ZzGdBGeNhdDi" \
    "K2JNRUCUXnKcX36sqxcpfXwNPhPpTGg"

#define ES256_PEM \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEcYvvG67nXDFNpcpzNG3hwkROzeL/\n" \
    "9lLPqczOcdDb5cudKkqSymxl2lD5GEl47TnT7TrHgZf4auY2rGgEBrbOYw==\n" \
    "-----END PUBLIC KEY-----\n"

#define ES256_TOKEN \
    "eyJhbGciOiAiRVMyNTYiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAiYWxpY2UiLCAiZXhwIjogNDEwMjQ0NDgwMH0.u0ffUDRfnFQ" \
    "FQyqZoKFeKeMSCQ7dUubImUgTnUQqqVc7oCIwZwW0PZOV78rfic-pyrN04E1ltxhVhJ1wMzV-QA"

#define ES256_FORGED \
    "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAicm9vdCIsICJleHAiOiA0MTAyNDQ0ODAwfQ.DBsurqayZ8gR" \
    "6qA9n0Gpe1iHhUZDjhD3oL0M-9Xn59w"

#define P384_PEM \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEhNK5z2DekY+XXiYASfK3fC+Z4NNk7tkF\n" \
    "8ZgiK7A9lMoqAaRcW85ZnFkqSMYPgKq0j+evYDtV5DNcLxYZ+afXZcXuq6z9hU5J\n" \
    "7hZyTz1W2gIkLU+ZLaLJxvA8bObJ5K2y\n" \
    "-----END PUBLIC KEY-----\n"

#define RSA1024_PEM \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCZc5OwFLL1pZWa1f0GIvNgOtTa\n" \
    "Rvcs3prRmp9bpY/ONwv8VxxHxVIAXnOBhHJ2LUP3/Nm7Oh2YgzRdxyEarSBE31uO\n" \
    "igG/IHtXkH00cHN1nF+jbAg6Hf4P2C3YfgZlfITxMZ4+ipmmfJvVEmGrNnw1u7/S\n" \
    "EIQbltmiJicUCbC44QIDAQAB\n" \
    "-----END PUBLIC KEY-----\n"

#define HS256_TOKEN \
    "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAiYWxpY2UiLCAiZXhwIjogNDEwMjQ0NDgwMH0.MJ1aPkgSeBT" \
    "_Fn39eRubgGgYY7rS_rOYJWDDTjU6vgY"

#define CRIT_TOKEN \
    "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCIsICJjcml0IjogWyJ4Il0sICJ4IjogMX0.eyJzdWIiOiAiYWxpY2UiLCAiZXhw" \
    "IjogNDEwMjQ0NDgwMH0.eY5s-tJvaL766T8L4vWJsPDU0GN53Te9qXVp7yGZJBg"

#define HS512_TOKEN \
    "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiAiYWxpY2UiLCAiZXhwIjogNDEwMjQ0NDgwMH0.id2pVw8f9APLrSA" \
    "wD1XWmmnPQ2keM8uJNNgFsB8yIjB6Q_UHK-LGA5b3GSeRGATLRa7maupe9TwZxX8Rt1InSQ"

#define NONE_TOKEN \
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiAiYWxpY2UiLCAiZXhwIjogNDEwMjQ0NDgwMH0."

#endif
