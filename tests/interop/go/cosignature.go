package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"filippo.io/mldsa"
)

type cosigning struct {
	Type byte   `json:"type"`
	Name string `json:"name"`
	Seed []byte `json:"seed"`
	At   uint64 `json:"at"`
	Text string `json:"text"`
}

// message is what a cosigner signs by C2SP tlog-cosignature: type 4 is Ed25519, type 6 is ML-DSA-44.
func message(kind byte, name string, at uint64, text string) ([]byte, error) {
	head, err := readTreeHead(text)
	if err != nil {
		return nil, err
	}
	switch kind {
	case 4:
		return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text), nil
	case 6:
		m := append([]byte("subtree/v1\n\x00"), byte(len(name)))
		m = append(m, name...)
		m = binary.BigEndian.AppendUint64(m, at)
		m = append(m, byte(len(head.origin)))
		m = append(m, head.origin...)
		m = binary.BigEndian.AppendUint64(m, 0)
		m = binary.BigEndian.AppendUint64(m, uint64(head.size))
		return append(m, head.root[:]...), nil
	}
	return nil, errors.New("not a cosignature type")
}

func keyID(kind byte, name string, public []byte) []byte {
	hash := sha256.Sum256(append(append([]byte(name), '\n', kind), public...))
	return hash[:4]
}

// cosign signs a checkpoint's text with the key of that seed; the note in the answer is one signature line.
func cosign(request cosigning) (answer, error) {
	m, err := message(request.Type, request.Name, request.At, request.Text)
	if err != nil {
		return answer{}, err
	}
	var public, signature []byte
	if request.Type == 4 {
		key := ed25519.NewKeyFromSeed(request.Seed)
		public, signature = key.Public().(ed25519.PublicKey), ed25519.Sign(key, m)
	} else {
		key, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), request.Seed)
		if err != nil {
			return answer{}, err
		}
		if signature, err = key.Sign(nil, m, &mldsa.Options{}); err != nil {
			return answer{}, err
		}
		public = key.PublicKey().Bytes()
	}
	id := keyID(request.Type, request.Name, public)
	blob := append(binary.BigEndian.AppendUint64(id, request.At), signature...)
	b64 := base64.StdEncoding.EncodeToString
	return answer{
		Vkey: fmt.Sprintf("%s+%x+%s", request.Name, id, b64(append([]byte{request.Type}, public...))),
		Note: "— " + request.Name + " " + b64(blob) + "\n",
	}, nil
}

type cosigned struct {
	Type   byte   `json:"type"`
	Name   string `json:"name"`
	Public []byte `json:"public"`
	Text   string `json:"text"`
	Blob   []byte `json:"blob"`
}

// checkCosignature verifies what follows "— <name> " on a signature line.
func checkCosignature(request cosigned) (answer, error) {
	if len(request.Blob) < 12 {
		return answer{}, errors.New("too short for a cosignature")
	}
	id, at, signature := request.Blob[:4], binary.BigEndian.Uint64(request.Blob[4:12]), request.Blob[12:]
	if string(id) != string(keyID(request.Type, request.Name, request.Public)) {
		return answer{}, errors.New("another key id")
	}
	m, err := message(request.Type, request.Name, at, request.Text)
	if err != nil {
		return answer{}, err
	}
	if request.Type == 4 {
		if !ed25519.Verify(request.Public, m, signature) {
			return answer{}, errors.New("invalid Ed25519 cosignature")
		}
		return answer{}, nil
	}
	public, err := mldsa.NewPublicKey(mldsa.MLDSA44(), request.Public)
	if err != nil {
		return answer{}, err
	}
	return answer{}, mldsa.Verify(public, m, signature, nil)
}
