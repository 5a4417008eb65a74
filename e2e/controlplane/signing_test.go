package controlplane

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (f *full) testSigning(t *testing.T) {
	ctx := t.Context()
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "mary"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	requests := f.admin.CertificatesV1().CertificateSigningRequests()
	request, err := requests.Create(ctx, &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "mary"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: encodePEM("CERTIFICATE REQUEST", der), SignerName: certificatesv1.KubeAPIServerClientSignerName,
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	request.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Test",
	}}
	if _, err := requests.UpdateApproval(ctx, request.Name, request, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the certificate of mary", func(ctx context.Context) string {
		got, err := requests.Get(ctx, request.Name, metav1.GetOptions{})
		switch {
		case err != nil:
			return err.Error()
		case len(got.Status.Certificate) == 0:
			return "there is none"
		}
		request = got
		return ""
	})
	mary := f.RESTConfig()
	mary.CertData = request.Status.Certificate
	if mary.KeyData, err = encodeKey(key); err != nil {
		t.Fatal(err)
	}
	const denied = `namespaces is forbidden: User "mary" cannot list resource "namespaces" in API group "" at the cluster scope`
	if err := listNamespaces(ctx, t, mary); !apierrors.IsForbidden(err) || err.Error() != denied {
		t.Errorf("with the certificate: %v, want %s", err, denied)
	}
}
