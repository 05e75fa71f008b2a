"""Invoices made up for the tests: one that fills every field of the layout, and pieces to build others."""

from __future__ import annotations

import base64

UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
FILE = b"the scanned contract, made up"

HEAD = (
    f'<Invoice xmlns="{UBL}Invoice-2" xmlns:cac="{UBL}CommonAggregateComponents-2" '
    f'xmlns:cbc="{UBL}CommonBasicComponents-2" xmlns:ext="{UBL}CommonExtensionComponents-2">'
)


def party(name: str, number: str, country: str) -> str:
    return f"""<cac:Party>
      <cbc:WebsiteURI>https://{number}.example</cbc:WebsiteURI>
      <cbc:EndpointID schemeID="0088">77{number}</cbc:EndpointID>
      <cac:PartyIdentification><cbc:ID schemeID="0060">10{number}</cbc:ID></cac:PartyIdentification>
      <cac:PartyIdentification><cbc:ID>20{number}</cbc:ID></cac:PartyIdentification>
      <cac:PartyName><cbc:Name>{name} trading</cbc:Name></cac:PartyName>
      <cac:PostalAddress>
        <cbc:Postbox>PB {number}</cbc:Postbox><cbc:StreetName>Quay {number}</cbc:StreetName>
        <cbc:AdditionalStreetName>Gate {number}</cbc:AdditionalStreetName>
        <cbc:BuildingNumber>B{number}</cbc:BuildingNumber><cbc:CityName>City {number}</cbc:CityName>
        <cbc:PostalZone>Z{number}</cbc:PostalZone><cbc:CountrySubentity>Region {number}</cbc:CountrySubentity>
        <cac:AddressLine><cbc:Line>Hall {number}</cbc:Line></cac:AddressLine>
        <cac:Country><cbc:IdentificationCode>{country}</cbc:IdentificationCode>
          <cbc:Name>Land {number}</cbc:Name></cac:Country>
      </cac:PostalAddress>
      <cac:PartyTaxScheme><cbc:CompanyID>VAT{number}</cbc:CompanyID>
        <cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:PartyTaxScheme>
      <cac:PartyTaxScheme><cbc:CompanyID>LOC{number}</cbc:CompanyID>
        <cac:TaxScheme><cbc:ID>LOC</cbc:ID></cac:TaxScheme></cac:PartyTaxScheme>
      <cac:PartyLegalEntity><cbc:RegistrationName>{name}</cbc:RegistrationName>
        <cbc:CompanyID schemeID="0199">REG{number}</cbc:CompanyID>
        <cbc:CompanyLegalForm>Form {number}</cbc:CompanyLegalForm></cac:PartyLegalEntity>
      <cac:Contact><cbc:Name>Desk {number}</cbc:Name><cbc:Telephone>+98{number}</cbc:Telephone>
        <cbc:Telefax>+99{number}</cbc:Telefax><cbc:ElectronicMail>d{number}@example</cbc:ElectronicMail>
          </cac:Contact>
    </cac:Party>"""


def money(tag: str, amount: str) -> str:
    return f'<cbc:{tag} currencyID="USD">{amount}</cbc:{tag}>'


def allowance(charge: str, amount: str, number: str) -> str:
    return f"""<cac:AllowanceCharge><cbc:ChargeIndicator>{charge}</cbc:ChargeIndicator>
      <cbc:AllowanceChargeReasonCode>R{number}</cbc:AllowanceChargeReasonCode>
      <cbc:AllowanceChargeReason>Reason {number}</cbc:AllowanceChargeReason>
      <cbc:MultiplierFactorNumeric>1.{number}</cbc:MultiplierFactorNumeric>
      {money("Amount", amount)}{money("BaseAmount", f"5{number}")}
      <cac:TaxCategory><cbc:ID>E{number}</cbc:ID><cbc:Percent>0</cbc:Percent><cac:TaxScheme>
        <cbc:ID>TS{number}</cbc:ID></cac:TaxScheme></cac:TaxCategory>
    </cac:AllowanceCharge>"""


def reference(tag: str, number: str) -> str:
    return f"""<cac:{tag}><cbc:ID schemeID="S{number}">{number}</cbc:ID>
      <cbc:IssueDate>2026-01-02</cbc:IssueDate>
      <cbc:DocumentTypeCode>T{number}</cbc:DocumentTypeCode><cbc:DocumentType>Type {number}</cbc:DocumentType>
      <cbc:DocumentDescription>About {number}</cbc:DocumentDescription></cac:{tag}>"""


LINE = f"""<cac:InvoiceLine>
  <cbc:ID>1</cbc:ID><cbc:Note>line note</cbc:Note>
  <cbc:InvoicedQuantity unitCode="TNE">20.5</cbc:InvoicedQuantity>{money("LineExtensionAmount", "2048.00")}
  <cbc:AccountingCost>cost 1</cbc:AccountingCost><cbc:FreeOfChargeIndicator>false</cbc:FreeOfChargeIndicator>
  <cac:InvoicePeriod><cbc:StartDate>2026-01-05</cbc:StartDate><cbc:EndDate>2026-01-06</cbc:EndDate>
    <cbc:DescriptionCode>35</cbc:DescriptionCode><cbc:Description>line period</cbc:Description>
      </cac:InvoicePeriod>
  <cac:OrderLineReference><cbc:LineID>OL1</cbc:LineID></cac:OrderLineReference>
  {reference("DocumentReference", "DR1")}
  {allowance("false", "4", "31")}{allowance("true", "2", "32")}
  <cac:TaxTotal>{money("TaxAmount", "11.50")}</cac:TaxTotal>
  <cac:Item><cbc:Description>Raisins, seedless</cbc:Description><cbc:Name>Raisins</cbc:Name>
    <cbc:BrandName>Brand 1</cbc:BrandName><cbc:ModelName>Model 1</cbc:ModelName>
    <cac:BuyersItemIdentification><cbc:ID>BUY1</cbc:ID></cac:BuyersItemIdentification>
    <cac:SellersItemIdentification><cbc:ID>SELL1</cbc:ID></cac:SellersItemIdentification>
    <cac:StandardItemIdentification><cbc:ID schemeID="0160">2720000166053</cbc:ID>
      </cac:StandardItemIdentification>
    <cac:OriginCountry><cbc:IdentificationCode>TR</cbc:IdentificationCode></cac:OriginCountry>
    <cac:CommodityClassification><cbc:ItemClassificationCode listID="HS">080620</cbc:ItemClassificationCode>
      </cac:CommodityClassification>
    <cac:CommodityClassification>
      <cbc:ItemClassificationCode listID="TST"
          listVersionID="3" name="Dried fruit">50307</cbc:ItemClassificationCode></cac:CommodityClassification>
    <cac:ClassifiedTaxCategory><cbc:ID>Z</cbc:ID><cbc:Percent>0</cbc:Percent>
      <cbc:TaxExemptionReasonCode>X1</cbc:TaxExemptionReasonCode>
      <cbc:TaxExemptionReason>Export</cbc:TaxExemptionReason><cac:TaxScheme><cbc:ID>TS1</cbc:ID>
        </cac:TaxScheme></cac:ClassifiedTaxCategory>
    <cac:AdditionalItemProperty><cbc:Name>Crop</cbc:Name><cbc:Value>2025 crop</cbc:Value>
      </cac:AdditionalItemProperty></cac:Item>
  <cac:Price>{money("PriceAmount", "1000.00")}<cbc:BaseQuantity unitCode="TNE">10</cbc:BaseQuantity>
    {allowance("false", "7", "33")}</cac:Price>
</cac:InvoiceLine>
<cac:InvoiceLine><cbc:ID>2</cbc:ID>
  <cbc:InvoicedQuantity unitCode="XPX">3</cbc:InvoicedQuantity>{money("LineExtensionAmount", "30")}
  <cac:Item><cbc:Name>Pallets</cbc:Name>
    <cac:StandardItemIdentification><cbc:ID schemeID="0088">998877</cbc:ID></cac:StandardItemIdentification>
      </cac:Item>
  <cac:Price>{money("PriceAmount", "10")}</cac:Price></cac:InvoiceLine>"""

TOTALS = f"""<cac:LegalMonetaryTotal>{money("LineExtensionAmount", "2078.00")}{money("TaxExclusiveAmount", "2073.00")}
  {money("TaxInclusiveAmount", "2074.00")}{money("AllowanceTotalAmount", "10")}{money("ChargeTotalAmount", "5")}
  {money("PrepaidAmount", "74.00")}{money("PayableRoundingAmount", "0.25")}
  {money("PayableAmount", "2000.25")}</cac:LegalMonetaryTotal>"""

FULL = f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- a comment says nothing -->
{HEAD}
  <cbc:UBLVersionID>2.1</cbc:UBLVersionID><cbc:CustomizationID>spec-1</cbc:CustomizationID>
    <cbc:ProfileID>profile-1</cbc:ProfileID>
  <cbc:ID>INV-7</cbc:ID><cbc:UUID>8b0ce1d4</cbc:UUID><cbc:IssueDate>2026-01-03</cbc:IssueDate>
    <cbc:IssueTime>10:20:30</cbc:IssueTime>
  <cbc:DueDate>2026-02-03</cbc:DueDate><cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>
    <cbc:Note>first note</cbc:Note><cbc:Note>second note</cbc:Note>
  <cbc:TaxPointDate>2026-01-04</cbc:TaxPointDate><cbc:DocumentCurrencyCode>USD</cbc:DocumentCurrencyCode>
    <cbc:TaxCurrencyCode>EUR</cbc:TaxCurrencyCode>
  <cbc:AccountingCost>cost 0</cbc:AccountingCost><cbc:BuyerReference>ref 0</cbc:BuyerReference>
  <cac:InvoicePeriod><cbc:StartDate>2026-01-01</cbc:StartDate><cbc:EndDate>2026-01-31</cbc:EndDate>
    </cac:InvoicePeriod>
  <cac:OrderReference><cbc:ID>PO-1</cbc:ID><cbc:SalesOrderID>SO-1</cbc:SalesOrderID>
    <cbc:IssueDate>2025-12-01</cbc:IssueDate></cac:OrderReference>
  <cac:BillingReference>{reference("InvoiceDocumentReference", "PRE1")}</cac:BillingReference>
  {reference("DespatchDocumentReference", "DES1")}{reference("ReceiptDocumentReference", "REC1")}
  {reference("OriginatorDocumentReference", "TEN1")}{reference("ContractDocumentReference", "CON1")}
  <cac:AdditionalDocumentReference><cbc:ID>ADD1</cbc:ID><cac:Attachment>
    <cbc:EmbeddedDocumentBinaryObject mimeCode="application/pdf"
        filename="contract.pdf">{base64.b64encode(FILE).decode()}</cbc:EmbeddedDocumentBinaryObject>
    <cac:ExternalReference><cbc:URI>https://files.example/1</cbc:URI></cac:ExternalReference></cac:Attachment>
      </cac:AdditionalDocumentReference>
  {reference("ProjectReference", "PROJ1")}
  <cac:AccountingSupplierParty>{party("Seller Co", "01", "TR")}</cac:AccountingSupplierParty>
  <cac:AccountingCustomerParty>{party("Buyer Co", "02", "IR")}</cac:AccountingCustomerParty>
  <cac:PayeeParty><cac:PartyName><cbc:Name>Payee Co</cbc:Name></cac:PartyName></cac:PayeeParty>
  <cac:TaxRepresentativeParty><cac:PartyName><cbc:Name>Rep Co</cbc:Name></cac:PartyName>
    </cac:TaxRepresentativeParty>
  <cac:Delivery><cbc:ActualDeliveryDate>2026-01-20</cbc:ActualDeliveryDate>
    <cbc:LatestDeliveryDate>2026-01-25</cbc:LatestDeliveryDate>
    <cbc:TrackingID>TRK1</cbc:TrackingID><cac:DeliveryAddress><cbc:CityName>Mersin</cbc:CityName>
      </cac:DeliveryAddress>
    <cac:DeliveryLocation><cbc:ID schemeID="UNLOCODE">IRBND</cbc:ID><cbc:Name>Bandar Abbas</cbc:Name>
      <cbc:Description>port</cbc:Description>
      <cac:Address><cbc:CityName>Bandar</cbc:CityName></cac:Address></cac:DeliveryLocation>
    <cac:DeliveryParty><cac:PartyName><cbc:Name>Receiver Co</cbc:Name></cac:PartyName></cac:DeliveryParty>
      </cac:Delivery>
  <cac:DeliveryTerms><cbc:ID>CIF</cbc:ID><cbc:SpecialTerms>insured at 110 percent</cbc:SpecialTerms>
    <cbc:LossRiskResponsibilityCode>LR1</cbc:LossRiskResponsibilityCode>
    <cac:DeliveryLocation><cbc:Name>Shahid Rajaee</cbc:Name></cac:DeliveryLocation></cac:DeliveryTerms>
  <cac:PaymentMeans><cbc:PaymentMeansCode name="transfer">30</cbc:PaymentMeansCode>
    <cbc:PaymentDueDate>2026-02-01</cbc:PaymentDueDate>
    <cbc:InstructionNote>pay by bank</cbc:InstructionNote><cbc:PaymentID>PAY1</cbc:PaymentID>
    <cac:CardAccount><cbc:PrimaryAccountNumberID>6037</cbc:PrimaryAccountNumberID>
      <cbc:NetworkID>NET1</cbc:NetworkID><cbc:HolderName>Holder 1</cbc:HolderName></cac:CardAccount>
    <cac:PayeeFinancialAccount><cbc:ID>IR820540102680020817909002</cbc:ID><cbc:Name>Account 1</cbc:Name>
      <cac:FinancialInstitutionBranch><cbc:ID>BIC1</cbc:ID></cac:FinancialInstitutionBranch>
        </cac:PayeeFinancialAccount>
    <cac:PaymentMandate><cbc:ID>MAN1</cbc:ID><cac:PayerFinancialAccount><cbc:ID>PAYER1</cbc:ID>
      </cac:PayerFinancialAccount></cac:PaymentMandate></cac:PaymentMeans>
  <cac:PaymentMeans><cbc:PaymentMeansCode>42</cbc:PaymentMeansCode><cac:PayeeFinancialAccount>
    <cbc:ID>0012-3</cbc:ID></cac:PayeeFinancialAccount></cac:PaymentMeans>
  <cac:PaymentTerms><cbc:Note>thirty days</cbc:Note></cac:PaymentTerms>
  <cac:PrepaidPayment>
    <cbc:ID>PP1</cbc:ID>{money("PaidAmount", "74.00")}<cbc:ReceivedDate>2025-12-15</cbc:ReceivedDate>
    </cac:PrepaidPayment>
  {allowance("false", "10", "21")}{allowance("true", "5", "22")}
  <cac:TaxExchangeRate><cbc:SourceCurrencyCode>USD</cbc:SourceCurrencyCode>
    <cbc:TargetCurrencyCode>EUR</cbc:TargetCurrencyCode>
    <cbc:CalculationRate>0.85</cbc:CalculationRate>
      <cbc:MathematicOperatorCode>Multiply</cbc:MathematicOperatorCode><cbc:Date>2026-01-01</cbc:Date>
      </cac:TaxExchangeRate>
  <cac:PricingExchangeRate><cbc:SourceCurrencyCode>USD</cbc:SourceCurrencyCode>
    <cbc:TargetCurrencyCode>IRR</cbc:TargetCurrencyCode><cbc:CalculationRate>1420000</cbc:CalculationRate>
    </cac:PricingExchangeRate>
  <cac:TaxTotal>{money("TaxAmount", "1.00")}
    <cac:TaxSubtotal>{money("TaxableAmount", "100")}{money("TaxAmount", "1.00")}
    <cac:TaxCategory><cbc:ID>S</cbc:ID><cbc:Percent>1</cbc:Percent><cac:TaxScheme><cbc:ID>TS0</cbc:ID>
      </cac:TaxScheme></cac:TaxCategory></cac:TaxSubtotal></cac:TaxTotal>
  {TOTALS}
  {LINE}
</Invoice>"""

MINIMAL_CREDIT_NOTE = f"""<CreditNote xmlns="{UBL}CreditNote-2"
  xmlns:a="{UBL}CommonAggregateComponents-2" xmlns:b="{UBL}CommonBasicComponents-2">
  <b:ID>CN-1</b:ID><b:IssueDate>2026-01-09</b:IssueDate><b:CreditNoteTypeCode>381</b:CreditNoteTypeCode>
    <b:DocumentCurrencyCode>IRR</b:DocumentCurrencyCode>
  <a:AccountingSupplierParty><a:Party><a:PartyName><b:Name>فروشنده</b:Name></a:PartyName></a:Party>
    </a:AccountingSupplierParty>
  <a:AccountingCustomerParty><a:Party><a:PartyName><b:Name>خریدار</b:Name></a:PartyName></a:Party>
    </a:AccountingCustomerParty>
  <a:LegalMonetaryTotal><b:PayableAmount currencyID="IRR">5000000</b:PayableAmount></a:LegalMonetaryTotal>
  <a:CreditNoteLine><b:ID>1</b:ID><b:CreditedQuantity unitCode="KGM">5</b:CreditedQuantity>
    <b:LineExtensionAmount currencyID="IRR">5000000</b:LineExtensionAmount>
    <a:Item><b:Name>کشمش</b:Name></a:Item></a:CreditNoteLine>
</CreditNote>"""


def invoice(*parts: str) -> bytes:
    """An invoice of just these parts."""
    return (HEAD + "".join(parts) + "</Invoice>").encode()
